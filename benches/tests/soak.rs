//! The soak in its short form: the same program, for as long as a test may take.

use std::process::Command;

#[test]
fn nothing_is_left_of_half_a_minute_of_good_and_hostile_visitors() {
    let soak = Command::new(env!("CARGO_BIN_EXE_soak")).args(["--seconds", "20"]).output().unwrap();
    let told = [soak.stdout, soak.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(soak.status.success(), "{told}");
    assert!(told.contains("at rest afterwards"), "{told}");
}
