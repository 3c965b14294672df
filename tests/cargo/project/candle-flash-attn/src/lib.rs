extern "C" {
    fn attention_origin() -> i32;
}

/// Which build the linked archive comes from.
pub fn origin() -> i32 {
    unsafe { attention_origin() }
}
