fn main() {
    println!("attention {} moe {} unary {}", candle_flash_attn::origin(), candle_kernels::origin(), candle_kernels::unary_origin());
}
