//! Which attempt starts or stops next: a pure function of inputs and time.
