//! Connections that are kept.

use wasmyard_interleavings::kept_connections::{
    a_reader_is_woken_when_its_connection_is_to_end, none_is_closed_during_a_request,
    whoever_waits_gets_a_place_and_the_bound_holds,
};
use wasmyard_interleavings::{check, check_with_delays};

#[test]
fn no_connection_is_closed_during_a_request() {
    check_with_delays(1_000, none_is_closed_during_a_request);
}

#[test]
fn whoever_reads_hears_that_its_connection_is_to_end() {
    check(1_000, a_reader_is_woken_when_its_connection_is_to_end);
}

#[test]
fn a_waiting_sender_gets_a_place_and_no_more_connections_are_open_than_may() {
    check_with_delays(500, whoever_waits_gets_a_place_and_the_bound_holds);
}
