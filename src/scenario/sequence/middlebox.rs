//! Steps of a box between the hosts: one filter at a router, and one loss in each direction, at a time.

use std::ops::Range;

use super::{Broken, Hit, Network};
use crate::scenario::diagnostic::Diagnostic;
use crate::step::{Middlebox, Segments, Which};

impl Hit {
    fn of(what: Segments) -> Self {
        match what {
            Segments::Rst => Self::Some,
            Segments::Data => Self::Data,
            Segments::Probes | Segments::Answers => Self::Acknowledgements,
            Segments::Any | Segments::Established => Self::All,
        }
    }
}

impl Network {
    /// What is wrong with the step; otherwise the network is what the step makes of it.
    pub(super) fn middlebox(
        &mut self,
        step: &Middlebox,
        verb: &Range<usize>,
    ) -> Option<Diagnostic> {
        match step {
            Middlebox::Filter { on, filter } => {
                let hit = Hit::of(filter.what);
                let same = |broken| matches!(broken, Broken::Filter(node, _) if node == *on);
                self.begin(Broken::Filter(*on, hit), same, verb, || {
                    format!("{} filters already", on.the())
                })
            }
            Middlebox::Unfilter { on } => {
                let found = self.heal(|broken| matches!(broken, Broken::Filter(n, _) if n == *on));
                (!found).then(|| {
                    let message = format!("{} has no filter when it is removed", on.the());
                    let early = Diagnostic::new(verb.clone(), message);
                    early.help("add one in an earlier step: `do = \"filter\"`, `action = \"drop\"`")
                })
            }
            Middlebox::Lose { on, loss } => {
                let hit = match loss.which {
                    Which::All => Hit::of(loss.what),
                    _ => Hit::Some,
                };
                let to = loss.to;
                let same =
                    |broken| matches!(broken, Broken::Loss(n, end, _) if (n, end) == (*on, to));
                self.begin(Broken::Loss(*on, to, hit), same, verb, || {
                    format!("{} loses segments to the {to} already", on.the())
                })
            }
            Middlebox::StopLosing { on, to } => {
                let same =
                    |broken| matches!(broken, Broken::Loss(n, end, _) if (n, end) == (*on, *to));
                (!self.heal(same)).then(|| {
                    let message =
                        format!("{} loses nothing to the {to} when it stops to", on.the());
                    let early = Diagnostic::new(verb.clone(), message);
                    early.help(format!(
                        "let it begin in an earlier step: `do = \"lose\"`, `on = \"{on}\"`, `to = \"{to}\"`"
                    ))
                })
            }
            Middlebox::Mtu {
                on, icmp: false, ..
            } => {
                let known = self.silent.iter().find(|(node, _)| node == on);
                let Some((_, silent)) = known else {
                    self.silent.push((*on, verb.clone()));
                    return None;
                };
                let message = "nobody is told already of what is too large";
                let twice = Diagnostic::new(verb.clone(), message);
                let twice = twice.related(silent.clone(), "since here");
                Some(twice.help("leave `icmp = false` out, or remove one of the two"))
            }
            Middlebox::Flush { .. } | Middlebox::Remember { .. } | Middlebox::Mtu { .. } => None,
        }
    }

    /// One of a kind at a time.
    fn begin(
        &mut self,
        broken: Broken,
        same: impl Fn(Broken) -> bool,
        verb: &Range<usize>,
        message: impl Fn() -> String,
    ) -> Option<Diagnostic> {
        if let Some((earlier, span)) = self.find(same) {
            let twice = Diagnostic::new(verb.clone(), message());
            let twice = twice.related(span.clone(), earlier.label());
            return Some(twice.help("remove one of the two, or end the other in between"));
        }
        self.breaks(broken, verb);
        None
    }
}
