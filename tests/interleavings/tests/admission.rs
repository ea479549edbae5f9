//! Admission.

use wasmyard_interleavings::permits::{
    a_flood_leaves_a_place_for_others, who_goes_away_while_waiting_is_gone,
    who_waits_too_long_leaves_nothing_behind, whoever_waits_is_let_in,
};
use wasmyard_interleavings::{check, check_with_delays};

#[test]
fn whoever_waits_is_let_in_and_no_bound_is_passed() {
    check(1_000, whoever_waits_is_let_in);
}

#[test]
fn whoever_goes_away_while_waiting_takes_nothing_along() {
    check(1_000, who_goes_away_while_waiting_is_gone);
}

#[test]
fn whoever_waited_too_long_takes_nothing_along() {
    check_with_delays(1_000, who_waits_too_long_leaves_nothing_behind);
}

#[test]
fn the_last_places_are_not_the_floods() {
    check(1_000, a_flood_leaves_a_place_for_others);
}
