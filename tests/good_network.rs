//! Every network step is decoded to its type and described in words.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::path::Path;
use std::time::Duration;

use deadpeer::model::{End, Node, Percent};
use deadpeer::scenario;
use deadpeer::step::{
    Action, Address, AddressChange, Delay, Flap, Forwarding, HardwareAddress, Impair, Impairment,
    Neighbour, NeighbourChange, Reboot, StepKind,
};

fn steps() -> Vec<Action> {
    let text = include_str!("good/network.toml");
    let scenario = scenario::parse(Path::new("network.toml"), text).unwrap();
    let steps = scenario.cases[0].steps.iter();
    steps.map(|step| step.action.clone()).collect()
}

#[test]
fn every_key_arrives_in_the_checked_types() {
    let (client, server) = (End::Client, End::Server);
    let impairment = Impairment {
        delay: Some(Delay {
            by: Duration::from_millis(100),
            jitter: Some(Duration::from_millis(20)),
            reorder: Percent::new(25),
        }),
        loss: Percent::new(5),
        duplicate: Percent::new(100),
        rate: Some(64),
        seed: Some(4_294_967_295),
    };
    let address = |change| Action::from(Address { at: client, change });
    let neighbour = |on, change| {
        Action::from(Neighbour {
            on,
            to: server,
            change,
        })
    };
    let forwarding = |forwards| {
        Action::from(Forwarding {
            on: Node::ROUTER,
            forwards,
        })
    };
    let impair = |impairment| {
        Action::from(Impair {
            at: client,
            impairment,
        })
    };
    let expected: [Action; 11] = [
        impair(Some(impairment)),
        impair(None),
        address(AddressChange::Remove),
        address(AddressChange::Restore),
        neighbour(Node::ROUTER, NeighbourChange::Remove),
        neighbour(Node::CLIENT, NeighbourChange::Wrong),
        neighbour(Node::CLIENT, NeighbourChange::Restore),
        forwarding(false),
        forwarding(true),
        Flap {
            at: server,
            count: 3,
            period: Duration::from_secs(2),
        }
        .into(),
        Reboot {
            host: server,
            downtime: Duration::ZERO,
            mac: HardwareAddress::New,
        }
        .into(),
    ];
    assert_eq!(steps(), expected);
}

#[test]
fn each_step_is_told_in_words() {
    let told: Vec<String> = steps().iter().map(Action::to_string).collect();
    assert_eq!(
        told,
        [
            "impair packets from the client: delay 0.1s, jitter 0.02s, reorder 25 %, loss 5 %, duplicate 100 %, rate 64 kbit/s, \
             seed 4294967295",
            "stop impairing packets from the client",
            "remove the client's address",
            "restore the client's address",
            "remove the neighbour entry of the router towards the server",
            "install a wrong hardware address in the neighbour entry of the client towards the server",
            "restore the neighbour entry of the client towards the server",
            "forwarding off at the router",
            "forwarding on at the router",
            "flap the server's cable 3 times, every 2s",
            "reboot the server, 0s down, with another hardware address",
        ]
    );
}

/// A repair is not a fault. The first fault is the zero time of a case.
#[test]
fn what_is_undone_is_a_repair() {
    let repairs: Vec<usize> = steps()
        .iter()
        .enumerate()
        .filter_map(|(position, action)| (action.kind() == StepKind::Repair).then_some(position))
        .collect();
    assert_eq!(repairs, [1, 3, 6, 8]);
    assert!(
        steps()
            .iter()
            .all(|action| action.kind() != StepKind::Traffic)
    );
}
