//! The scheduler of guests.

use wasmyard_interleavings::scheduler::{
    a_turn_that_was_taken_away_is_over, no_turn_is_lost, nobody_waits_for_more_than_a_turn_of_each_other,
    who_goes_away_frees_its_place,
};
use wasmyard_interleavings::{check, check_with_delays};

#[test]
fn no_turn_is_lost_and_no_more_compute_than_may() {
    check(500, no_turn_is_lost);
}

#[test]
fn whoever_waits_waits_for_a_turn_of_each_other_at_most() {
    check(300, nobody_waits_for_more_than_a_turn_of_each_other);
}

#[test]
fn guests_that_go_away_hold_nobody_up() {
    check(500, who_goes_away_frees_its_place);
}

#[test]
fn a_turn_is_nobodys_after_it_was_taken_away() {
    check_with_delays(500, a_turn_that_was_taken_away_is_over);
}
