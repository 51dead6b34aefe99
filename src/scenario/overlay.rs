//! A case laid over the file's own tables: what the case gives wins, key by key.

use std::ops::Range;
use std::time::Duration;

use super::document::{
    Body, CaseBlock, ConnectionPart, Document, EMPTY, EndPart, ExpectationPart, FirewallPart,
};
use crate::file::{At, Given, Reported};
use crate::model::{
    BufferSize, Connection, EffectiveKeepalive, End, EndSettings, Family, Keepalive, Linger,
    NodeSysctls, Sysctl, Topology,
};
use crate::scenario::carried::Carried;
use crate::step::Written;

/// A look at a [`Given`].
pub(super) type View<'d, T> = Result<Option<&'d At<T>>, Reported>;

/// Everything that holds for one case; each part may still be missing, or wrong and reported.
pub(super) struct Overlaid<'d> {
    /// `None` in a file without `[[case]]`.
    pub(super) block: Option<&'d CaseBlock>,
    pub(super) slow: View<'d, bool>,
    pub(super) network: View<'d, Topology>,
    families: View<'d, Vec<Carried>>,
    pub(super) firewall: View<'d, FirewallPart>,
    pub(super) sysctl: View<'d, Vec<At<NodeSysctls>>>,
    count: View<'d, u16>,
    client: EndView<'d>,
    server: EndView<'d>,
    /// The file's, then the case's.
    pub(super) steps: Vec<Result<&'d Written, Reported>>,
    layers: Layers<'d>,
}

struct EndView<'d> {
    keepalive: View<'d, Keepalive>,
    user_timeout: View<'d, Duration>,
    syn_retries: View<'d, u8>,
    rto_max: View<'d, Duration>,
    recverr: View<'d, bool>,
    nodelay: View<'d, bool>,
    send_buffer: View<'d, BufferSize>,
    receive_buffer: View<'d, BufferSize>,
    linger: View<'d, Linger>,
    sysctl: View<'d, Vec<Sysctl>>,
}

impl<'d> Overlaid<'d> {
    pub(super) fn new(document: &'d Document, block: Option<&'d CaseBlock>) -> Self {
        let layers = Layers {
            case: block.map_or(&EMPTY, |block| &block.body),
            base: &document.body,
        };
        Self {
            block,
            slow: match block.map(|block| view(&block.slow)) {
                None | Some(Ok(None)) => view(&document.slow),
                Some(given) => given,
            },
            network: layers.top(|body| inside(view(&body.topology), |part| &part.network)),
            families: layers.top(|body| inside(view(&body.topology), |part| &part.families)),
            firewall: layers.top(|body| inside(view(&body.topology), |part| &part.firewall)),
            sysctl: layers.top(|body| inside(view(&body.topology), |part| &part.sysctl)),
            count: layers.top(|body| inside(view(&body.connection), |part| &part.count)),
            client: layers.end(|connection| &connection.client),
            server: layers.end(|connection| &connection.server),
            steps: steps(layers.base).chain(steps(layers.case)).collect(),
            layers,
        }
    }

    /// What the networks of the case carry.
    pub(super) fn carried(&self) -> Result<&'d [Carried], Reported> {
        Ok(self.families?.map_or(&Carried::DEFAULT, |at| &at.value))
    }

    /// What is expected of an end of the connections over a family. What the case says of all families wins over what the file says of
    /// one.
    pub(super) fn expectation(&self, end: End, family: Family) -> View<'d, ExpectationPart> {
        self.layers.top(|body| {
            let expect = view(&body.expect);
            let own = inside(expect, |part| part.of(family));
            match inside(own, |part| part.end(end)) {
                Ok(None) => inside(expect, |part| part.each.end(end)),
                given => given,
            }
        })
    }

    /// All that is expected of an end, whatever the family.
    pub(super) fn expectations(&self, end: End) -> Vec<&'d At<ExpectationPart>> {
        let carried = self.carried().unwrap_or_default().iter();
        let families = carried.flat_map(|carried| carried.families());
        let mut all: Vec<&At<ExpectationPart>> = families
            .filter_map(|family| self.expectation(end, family).ok()?)
            .collect();
        all.dedup_by_key(|at| at.span.start);
        all
    }

    /// Where the case itself, and no other of the file, says what it expects of one family.
    pub(super) fn own_expect(&self, family: Family) -> Option<Range<usize>> {
        let body = self.block.map_or(self.layers.base, |block| &block.body);
        let part = inside(view(&body.expect), |part| part.of(family));
        Some(part.ok()??.span.clone())
    }

    /// What the case itself expects of one family, at each end.
    pub(super) fn own_expectations(
        &self,
        family: Family,
    ) -> impl Iterator<Item = &'d At<ExpectationPart>> {
        let body = self.block.map_or(self.layers.base, |block| &block.body);
        let part = inside(view(&body.expect), move |part| part.of(family));
        let ends = [End::Client, End::Server];
        let of_end = move |end| inside(part, move |part| part.end(end)).ok().flatten();
        ends.into_iter().filter_map(of_end)
    }

    /// The header of the `[[case]]`.
    pub(super) fn span(&self) -> Option<Range<usize>> {
        self.block.map(|block| block.span.clone())
    }

    pub(super) fn keepalive(&self, end: End) -> View<'d, Keepalive> {
        match end {
            End::Client => self.client.keepalive,
            End::Server => self.server.keepalive,
        }
    }

    /// How many unanswered probes end an end's connection; `None` where other settings may decide.
    pub(super) fn unanswered_probes(&self, end: End, keepalive: Keepalive) -> Option<u32> {
        let settings = match end {
            End::Client => &self.client,
            End::Server => &self.server,
        };
        let (Ok(None), Ok(None)) = (settings.user_timeout, settings.sysctl) else {
            return None;
        };
        Some(EffectiveKeepalive::new(keepalive).probes)
    }

    pub(super) fn connection(&self) -> Result<Connection, Reported> {
        let settings = |end: &EndView| {
            Ok(EndSettings {
                keepalive: end.keepalive?.map(|at| at.value),
                user_timeout: end.user_timeout?.map(|at| at.value),
                syn_retries: end.syn_retries?.map(|at| at.value),
                rto_max: end.rto_max?.map(|at| at.value),
                recverr: end.recverr?.is_some_and(|at| at.value),
                nagle: end.nodelay?.is_some_and(|at| !at.value),
                send_buffer: end.send_buffer?.map(|at| at.value),
                receive_buffer: end.receive_buffer?.map(|at| at.value),
                linger: end.linger?.map(|at| at.value),
                sysctl: end.sysctl?.map(|at| at.value.clone()).unwrap_or_default(),
            })
        };
        Ok(Connection {
            count: self.count?.map_or(1, |at| at.value),
            client: settings(&self.client)?,
            server: settings(&self.server)?,
        })
    }
}

struct Layers<'d> {
    case: &'d Body,
    base: &'d Body,
}

impl<'d> Layers<'d> {
    fn top<T>(&self, get: impl Fn(&'d Body) -> View<'d, T>) -> View<'d, T> {
        match get(self.case) {
            Ok(None) => get(self.base),
            given => given,
        }
    }

    fn end(&self, which: fn(&ConnectionPart) -> &Given<EndPart>) -> EndView<'d> {
        let end = |body: &'d Body| inside(view(&body.connection), which);
        EndView {
            keepalive: self.top(|body| inside(end(body), |end| &end.keepalive)),
            user_timeout: self.top(|body| inside(end(body), |end| &end.user_timeout)),
            syn_retries: self.top(|body| inside(end(body), |end| &end.syn_retries)),
            rto_max: self.top(|body| inside(end(body), |end| &end.rto_max)),
            recverr: self.top(|body| inside(end(body), |end| &end.recverr)),
            nodelay: self.top(|body| inside(end(body), |end| &end.nodelay)),
            send_buffer: self.top(|body| inside(end(body), |end| &end.send_buffer)),
            receive_buffer: self.top(|body| inside(end(body), |end| &end.receive_buffer)),
            linger: self.top(|body| inside(end(body), |end| &end.linger)),
            sysctl: self.top(|body| inside(end(body), |end| &end.sysctl)),
        }
    }
}

fn view<T>(given: &Given<T>) -> View<'_, T> {
    given.as_ref().map(Option::as_ref).map_err(|error| *error)
}

/// A key of a table that may be missing or wrong itself.
fn inside<'d, P, T>(part: View<'d, P>, key: impl Fn(&'d P) -> &'d Given<T>) -> View<'d, T> {
    match part? {
        Some(part) => view(key(&part.value)),
        None => Ok(None),
    }
}

fn steps(body: &Body) -> impl Iterator<Item = Result<&Written, Reported>> {
    let (steps, wrong) = match &body.steps {
        Ok(steps) => (steps.as_slice(), None),
        Err(error) => (&[][..], Some(Err(*error))),
    };
    let steps = steps
        .iter()
        .map(|step| step.as_ref().map_err(|error| *error));
    steps.chain(wrong)
}
