use super::*;
use crate::wire::Flags;

fn segment(at: u64, direction: Direction, seq: u32, ack: u32, len: u32) -> Segment {
    let flags = Flags {
        ack: true,
        ..Flags::default()
    };
    Segment {
        at: Moment::from_nanos(at),
        direction,
        connection: 1,
        seq,
        ack,
        len,
        window: 100,
        flags,
    }
}

/// Ten bytes out, acknowledged.
fn exchanged(start: u32) -> Track {
    let mut track = Track::default();
    track.observe(&segment(1, Direction::Out, start, 500, 10));
    track.observe(&segment(2, Direction::In, 500, start.wrapping_add(10), 0));
    track
}

#[test]
fn an_empty_segment_below_the_next_sequence_number_is_a_probe() {
    let mut track = exchanged(100);
    track.observe(&segment(3, Direction::Out, 109, 500, 0));
    track.observe(&segment(4, Direction::In, 500, 110, 0));
    let probe = Probe {
        asks: Asks::Presence,
        sent: Moment::from_nanos(3),
        answered: Some(Moment::from_nanos(4)),
    };
    assert_eq!(track.probes, [probe]);
}

#[test]
fn a_probe_into_a_closed_window_asks_for_the_window() {
    let closed = |mut segment: Segment| {
        segment.window = 0;
        segment
    };
    let mut track = exchanged(100);
    track.observe(&closed(segment(3, Direction::In, 500, 110, 0)));
    let sent = track.observe(&segment(4, Direction::Out, 109, 500, 0));
    assert_eq!(sent, Meaning::Probe(Asks::Window, 1));
    track.observe(&closed(segment(5, Direction::In, 500, 110, 0)));
    track.observe(&segment(6, Direction::Out, 109, 500, 0));
    track.observe(&segment(7, Direction::In, 500, 110, 0));
    track.observe(&segment(8, Direction::Out, 109, 500, 0));
    let asked: Vec<Asks> = track.probes.iter().map(|probe| probe.asks).collect();
    assert_eq!(asked, [Asks::Window, Asks::Window, Asks::Presence]);
    track.observe(&closed(segment(9, Direction::Out, 110, 500, 0)));
    let received = track.observe(&segment(10, Direction::In, 499, 110, 0));
    assert_eq!(received, Meaning::Probe(Asks::Window, 1));
}

#[test]
fn what_was_written_but_not_yet_captured_is_not_quiet() {
    let mut track = exchanged(100);
    assert!(track.is_quiet(10));
    assert!(!track.is_quiet(15));
    track.observe(&segment(3, Direction::Out, 110, 500, 5));
    assert!(!track.is_quiet(15));
    track.observe(&segment(4, Direction::In, 500, 115, 0));
    assert!(track.is_quiet(15));
    assert!(!Track::default().is_quiet(0));
}

#[test]
fn sequence_numbers_wrap() {
    let mut track = exchanged(u32::MAX - 5);
    assert!(track.is_quiet(10));
    track.observe(&segment(3, Direction::Out, 3, 500, 0));
    assert_eq!(track.probes.len(), 1);
}

#[test]
fn data_that_comes_later_does_not_answer_a_probe() {
    let mut track = exchanged(100);
    track.observe(&segment(3, Direction::Out, 109, 500, 0));
    track.observe(&segment(4, Direction::Out, 110, 500, 5));
    track.observe(&segment(5, Direction::In, 500, 115, 0));
    track.observe(&segment(6, Direction::In, 500, 115, 5));
    assert_eq!(track.probes[0].answered, None);
}

#[test]
fn a_pure_acknowledgement_is_no_probe() {
    let mut track = exchanged(100);
    track.observe(&segment(3, Direction::Out, 110, 520, 0));
    assert!(track.probes.is_empty());
}

#[test]
fn a_reset_is_neither_an_answer_nor_activity() {
    let mut track = exchanged(100);
    track.observe(&segment(3, Direction::Out, 109, 500, 0));
    let mut reset = segment(4, Direction::In, 500, 110, 0);
    reset.flags.rst = true;
    track.observe(&reset);
    assert_eq!(track.probes[0].answered, None);
    assert_eq!(
        track.last_received_before(Moment::from_nanos(100)),
        Some(Moment::from_nanos(2))
    );
    assert_eq!(track.rst_received, [Moment::from_nanos(4)]);
}

#[test]
fn the_peers_probe_is_no_sign_of_life() {
    let mut track = exchanged(100);
    track.observe(&segment(9, Direction::In, 499, 110, 0));
    assert_eq!(
        track.last_received_before(Moment::from_nanos(100)),
        Some(Moment::from_nanos(2))
    );
}

#[test]
fn what_was_never_on_the_wire_counts_from_the_write() {
    let write = |at, end| Write {
        at: Moment::from_nanos(at),
        end,
    };
    let mut track = exchanged(100);
    assert_eq!(track.first_unacknowledged(&[write(1, 10)]), None);
    let writes = [write(1, 10), write(30, 17), write(40, 20)];
    assert_eq!(
        track.first_unacknowledged(&writes),
        Some(Moment::from_nanos(30))
    );
    track.observe(&segment(31, Direction::Out, 110, 500, 7));
    assert_eq!(
        track.first_unacknowledged(&writes),
        Some(Moment::from_nanos(31))
    );
    track.observe(&segment(32, Direction::In, 500, 117, 0));
    assert_eq!(
        track.first_unacknowledged(&writes),
        Some(Moment::from_nanos(40))
    );
}

#[test]
fn retransmissions_do_not_move_the_first_transmission() {
    let mut track = exchanged(100);
    track.observe(&segment(10, Direction::Out, 110, 500, 7));
    track.observe(&segment(20, Direction::Out, 110, 500, 7));
    assert_eq!(
        track.first_unacknowledged(&[]),
        Some(Moment::from_nanos(10))
    );
    assert!(!track.is_quiet(17));
    track.observe(&segment(21, Direction::In, 500, 117, 0));
    assert_eq!(track.first_unacknowledged(&[]), None);
}
