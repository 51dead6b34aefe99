//! `exchange`: one end sends a payload, and the other end sends it back.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Act, Kind, MOST_BYTES, Named, StepKind, from};
use crate::file::{Context, Diagnostic, Key, Reported, Shape, Table, Value};
use crate::model::{End, Segments};
use crate::world::{Fate, Fault, Packet, Refusal, World};

/// `from` sends the payload on every connection, and the other end sends it back. The step waits
/// until the exchange is complete.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Exchange {
    /// The end that sends first.
    pub from: End,
    /// The payload, 1..=65536 bytes.
    pub payload: Vec<u8>,
}

const FROM: Key<End> = from("The end that sends first; the client, if absent.");
const PAYLOAD: Key<Vec<u8>> = Key::value(
    "payload",
    Shape::Payload,
    payload,
    "The payload, 1 to 65536 bytes; `hello world`, if absent.",
);

pub(super) const KIND: Kind = Kind {
    word: "exchange",
    about: "One end sends a payload, and the other end sends it back. The step is done when all of it is acknowledged.",
    keys: &[&FROM, &PAYLOAD],
    relations: &[],
    of_family: false,
};

/// The maximum number of steps that an error names as the causes.
const MOST_CAUSES: usize = 5;

/// The length of the packet that the check sends through the World. It fits every link: TCP makes
/// larger packets smaller after an ICMP error.
const LENGTH: u16 = 100;

pub(super) fn read(table: &mut Table, cx: &mut Context) -> Result<Exchange, Reported> {
    let from = FROM.get(table, cx);
    let payload = PAYLOAD.get(table, cx);
    Ok(Exchange {
        from: from?.map_or(End::Client, |at| at.value),
        payload: payload?.map_or_else(|| b"hello world".to_vec(), |at| at.value),
    })
}

fn payload(value: &Value, cx: &mut Context) -> Result<Vec<u8>, Reported> {
    let Some(text) = value.as_str() else {
        return Err(value.expected("a string", None, cx));
    };
    let length = text.len() as u64;
    if (1..=MOST_BYTES).contains(&length) {
        return Ok(text.into());
    }
    let message = format!("`{}` is {length} bytes long", value.path());
    let wrong = Diagnostic::new(value.span(), message);
    Err(cx.report(wrong.help(format!("it is 1 to {MOST_BYTES} bytes long"))))
}

impl Act for Exchange {
    fn kind(&self) -> StepKind {
        StepKind::Traffic
    }

    fn machines(&self) -> Vec<Named> {
        Vec::new()
    }

    fn act(&self, world: &mut World) -> Result<(), Refusal> {
        world.needs_connection()?;
        let obstacles = world.obstacles();
        if obstacles.is_empty() {
            return Ok(());
        }
        let stuck = Refusal::new(format!("this exchange can never complete: {}", why(world)));
        let shown = obstacles.into_iter().take(MOST_CAUSES);
        let stuck = shown.fold(stuck, Refusal::because);
        let forgotten = world.find(|fault| matches!(fault, Fault::Forgotten(_)));
        Err(match forgotten {
            Some(_) => stuck.help("exchange before the reboot: the reboot destroys the connection"),
            None => stuck
                .help("repair that first; or use `do = \"send\"`, which writes and does not wait"),
        })
    }
}

/// The reason why an exchange cannot complete: what happens to the data in the broken direction.
fn why(world: &World) -> String {
    let lost = [End::Server, End::Client].into_iter().find_map(|to| {
        let kind = Segments::Data;
        let length = LENGTH;
        match world.fate(&Packet { to, kind, length })? {
            Fate::Delivered | Fate::Uncertain(_) => None,
            // The name of the ICMP error differs between the families, so it is not part of the
            // message.
            Fate::Answered(by, _) => Some(format!(
                "a packet to the {to} is dropped by {}, which sends an ICMP error",
                by.the()
            )),
            fate => Some(format!("a packet to the {to} {fate}")),
        }
    });
    lost.unwrap_or_else(|| "the path is broken, or one end no longer takes part".to_owned())
}

impl fmt::Display for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "exchange {} bytes from {}",
            self.payload.len(),
            self.from
        )
    }
}
