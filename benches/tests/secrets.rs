//! The search for secrets in its short form: the same program, for as long as a test may take.

use std::process::Command;

#[test]
fn no_script_sees_what_another_one_has_planted() {
    let run =
        Command::new(env!("CARGO_BIN_EXE_in-process")).args(["secrets", "6000", "50"]).output().unwrap();
    let told = [run.stdout, run.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(run.status.success(), "{told}");
    assert!(told.contains("6000 requests of 50 scripts"), "{told}");
}
