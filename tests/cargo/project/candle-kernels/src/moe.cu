int moe_origin(void) { return ORIGIN; }
