mod ptx {
    include!(concat!(env!("OUT_DIR"), "/ptx.rs"));
}

extern "C" {
    fn moe_origin() -> i32;
}

/// Which build the linked archive comes from.
pub fn origin() -> i32 {
    unsafe { moe_origin() }
}

/// Which build the module comes from: its first line says so.
pub fn unary_origin() -> &'static str {
    ptx::UNARY.lines().next().unwrap_or("").trim_start_matches("// origin ")
}
