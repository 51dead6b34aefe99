//! `[connection]`: the number of connections, and the settings of each end.

use crate::file::{Context, Key, Layers, Part, Shape, TableKind};
use crate::scenario::draft::ConnectionDraft;
use crate::setting::{END, EndDraft};

const MOST_CONNECTIONS: u64 = 1000;

const COUNT: Key<u16> = Key::value(
    "count",
    Shape::Integer(1, MOST_CONNECTIONS),
    |value, cx| value.integer(1..=MOST_CONNECTIONS, |count| u16::try_from(count).ok(), cx),
    "The number of identical connections; 1, if absent.",
);
const CLIENT: Part = Part {
    name: "client",
    shape: Shape::Table(&END),
    about: "The settings of the client.",
};
const SERVER: Part = Part {
    name: "server",
    shape: Shape::Table(&END),
    about: "The settings of the server.",
};

pub(super) const KIND: TableKind = TableKind {
    name: Some("connection"),
    about: "The connection under test.",
    keys: &[&COUNT, &CLIENT, &SERVER],
    relations: &[],
};

pub(super) fn read(mut connection: Layers, cx: &mut Context) -> ConnectionDraft {
    let mut end = |part: Part| EndDraft::read(&mut connection.inside(part.name, &END, cx), cx);
    let (client, server) = (end(CLIENT), end(SERVER));
    ConnectionDraft {
        count: connection.get(&COUNT, cx),
        client,
        server,
    }
}
