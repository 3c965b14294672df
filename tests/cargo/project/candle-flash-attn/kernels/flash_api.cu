int attention_origin(void) { return ORIGIN; }
