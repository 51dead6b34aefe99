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
        timestamp: None,
        flags,
    }
}

/// This end has sent ten bytes, which are acknowledged.
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
        kind: ProbeKind::Keepalive,
        sent: Moment::from_nanos(3),
        answered: Some(Moment::from_nanos(4)),
    };
    assert_eq!(track.probes, [probe]);
}

#[test]
fn a_probe_into_a_closed_window_is_a_window_probe() {
    let closed = |mut segment: Segment| {
        segment.window = 0;
        segment
    };
    let mut track = exchanged(100);
    track.observe(&closed(segment(3, Direction::In, 500, 110, 0)));
    let sent = track.observe(&segment(4, Direction::Out, 109, 500, 0));
    assert_eq!(sent, Meaning::Probe(ProbeKind::Window, 1));
    track.observe(&closed(segment(5, Direction::In, 500, 110, 0)));
    track.observe(&segment(6, Direction::Out, 109, 500, 0));
    track.observe(&segment(7, Direction::In, 500, 110, 0));
    track.observe(&segment(8, Direction::Out, 109, 500, 0));
    let asked: Vec<ProbeKind> = track.probes.iter().map(|probe| probe.kind).collect();
    assert_eq!(
        asked,
        [ProbeKind::Window, ProbeKind::Window, ProbeKind::Keepalive]
    );
    track.observe(&closed(segment(9, Direction::Out, 110, 500, 0)));
    let received = track.observe(&segment(10, Direction::In, 499, 110, 0));
    assert_eq!(received, Meaning::Probe(ProbeKind::Window, 1));
}

#[test]
fn a_track_with_uncaptured_writes_is_not_quiet() {
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
fn data_that_arrives_later_does_not_answer_a_probe() {
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
fn a_reset_is_neither_an_answer_nor_a_sign_of_life() {
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
fn data_that_was_never_on_the_wire_counts_from_the_write() {
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

/// This end has received two segments of data and has acknowledged both.
fn received_twice() -> Track {
    let mut track = exchanged(100);
    for (at, seq) in [(3, 500), (4, 600)] {
        track.observe(&segment(at, Direction::In, seq, 110, 100));
    }
    track.observe(&segment(5, Direction::Out, 110, 700, 0));
    track
}

fn last_received(track: &Track) -> Option<Moment> {
    track.last_received_before(Moment::from_nanos(u64::MAX))
}

/// `tcp_sequence`: the end of the segment lies before the last acknowledgement (`rcv_wup`).
#[test]
fn an_old_retransmission_is_no_sign_of_life() {
    let mut track = received_twice();
    track.observe(&segment(9, Direction::In, 500, 110, 100));
    assert_eq!(last_received(&track), Some(Moment::from_nanos(4)));
    // A retransmission of the last segment ends at the acknowledgement and is accepted.
    track.observe(&segment(10, Direction::In, 600, 110, 100));
    assert_eq!(last_received(&track), Some(Moment::from_nanos(10)));
}

/// The host has no route: its acknowledgement was never on the wire, but its TCP counts it as sent.
#[test]
fn an_acknowledgement_that_was_never_on_the_wire_counts_after_its_delay() {
    let late = 200_000_003;
    for (at, last) in [(late - 1, late - 1), (late, 4)] {
        let mut track = exchanged(100);
        track.observe(&segment(3, Direction::In, 500, 110, 100));
        track.observe(&segment(4, Direction::In, 600, 110, 100));
        // Only the first segment is acknowledged for certain at that time, so its end is the limit.
        track.observe(&segment(at, Direction::In, 500, 110, 99));
        assert_eq!(last_received(&track), Some(Moment::from_nanos(last)));
    }
}

/// `tcp_ack`: an acknowledgement of data that was never sent, and one that is older than the last.
#[test]
fn an_acknowledgement_out_of_range_is_no_sign_of_life() {
    let mut track = exchanged(100);
    track.observe(&segment(3, Direction::In, 500, 200, 0));
    track.observe(&segment(4, Direction::In, 500, 105, 0));
    assert_eq!(last_received(&track), Some(Moment::from_nanos(2)));
    // A segment with new data counts, whatever it acknowledges.
    track.observe(&segment(5, Direction::In, 500, 105, 10));
    assert_eq!(last_received(&track), Some(Moment::from_nanos(5)));
}

/// RFC 5961 section 4.
#[test]
fn a_syn_within_a_connection_is_no_sign_of_life() {
    let mut track = exchanged(100);
    let mut syn = segment(3, Direction::In, 499, 110, 0);
    syn.flags.syn = true;
    track.observe(&syn);
    assert_eq!(last_received(&track), Some(Moment::from_nanos(2)));
}

/// RFC 7323 section 5: a segment that was delayed so long that its retransmission arrived first.
#[test]
fn a_segment_with_an_old_timestamp_is_no_sign_of_life() {
    let stamped = |mut segment: Segment, timestamp| {
        segment.timestamp = Some(timestamp);
        segment
    };
    let mut track = exchanged(100);
    track.observe(&stamped(segment(3, Direction::In, 500, 110, 100), 5000));
    track.observe(&segment(4, Direction::Out, 110, 600, 0));
    track.observe(&stamped(segment(5, Direction::In, 600, 110, 0), 5100));
    track.observe(&stamped(segment(6, Direction::In, 500, 110, 100), 5098));
    assert_eq!(last_received(&track), Some(Moment::from_nanos(5)));
    track.observe(&stamped(segment(7, Direction::In, 500, 110, 100), 5099));
    assert_eq!(last_received(&track), Some(Moment::from_nanos(7)));
}

#[test]
fn a_fin_in_flight_is_unacknowledged() {
    let mut track = exchanged(100);
    let mut fin = segment(3, Direction::Out, 110, 500, 0);
    fin.flags.fin = true;
    track.observe(&fin);
    assert_eq!(track.first_unacknowledged(&[]), Some(Moment::from_nanos(3)));
    track.observe(&segment(4, Direction::In, 500, 111, 0));
    assert_eq!(track.first_unacknowledged(&[]), None);
}

/// The program reads end of file once the gap is filled.
#[test]
fn a_fin_behind_a_gap_is_received_when_the_gap_is_filled() {
    let mut track = exchanged(100);
    let mut fin = segment(3, Direction::In, 510, 110, 5);
    fin.flags.fin = true;
    track.observe(&fin);
    assert_eq!(track.fin_received, None);
    track.observe(&segment(9, Direction::In, 500, 110, 10));
    assert_eq!(track.fin_received, Some(Moment::from_nanos(9)));
}

/// RFC 5961 section 3: a RST in the window but out of order is answered with a challenge ACK.
#[test]
fn a_rst_out_of_order_is_not_accepted() {
    let reset = |at, seq| {
        let mut reset = segment(at, Direction::In, seq, 0, 0);
        reset.flags.rst = true;
        reset
    };
    let mut track = exchanged(100);
    track.observe(&reset(3, 520));
    assert_eq!((track.reset, track.rst_received.len()), (None, 1));
    track.observe(&reset(4, 500));
    assert_eq!(track.reset, Some(Moment::from_nanos(4)));
    // A RST at the end of the data after a gap is accepted (SACK).
    let mut track = exchanged(100);
    track.observe(&segment(3, Direction::In, 510, 110, 10));
    track.observe(&reset(4, 520));
    assert_eq!(track.reset, Some(Moment::from_nanos(4)));
    // A RST before any other segment of the peer answers the SYN.
    let mut track = Track::default();
    track.observe(&reset(5, 0));
    assert_eq!(track.reset, Some(Moment::from_nanos(5)));
}
