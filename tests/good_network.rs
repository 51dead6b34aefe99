//! Every step of the network arrives in the checked types, and is told in words.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::path::Path;
use std::time::Duration;

use deadpeer::model::{End, Node, Percent};
use deadpeer::scenario;
use deadpeer::step::{
    Action, AddressChange, Delay, Flapping, HardwareAddress, Impairment, NeighbourChange,
    NetworkStep,
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
    let address = |change| NetworkStep::Address { at: client, change };
    let neighbour = |on, change| NetworkStep::Neighbour {
        on,
        to: server,
        change,
    };
    let forwarding = |forwards| NetworkStep::Forwarding {
        on: Node::ROUTER,
        forwards,
    };
    let flapping = Flapping {
        count: 3,
        period: Duration::from_secs(2),
    };
    let mut expected: Vec<Action> = [
        NetworkStep::Impair {
            at: client,
            impairment,
        },
        NetworkStep::Heal { at: client },
        address(AddressChange::Remove),
        address(AddressChange::Restore),
        neighbour(Node::ROUTER, NeighbourChange::Remove),
        neighbour(Node::CLIENT, NeighbourChange::Wrong),
        neighbour(Node::CLIENT, NeighbourChange::Restore),
        forwarding(false),
        forwarding(true),
        NetworkStep::Flap {
            at: server,
            flapping,
        },
    ]
    .map(Action::Network)
    .into();
    expected.push(Action::Reboot {
        host: server,
        downtime: Duration::ZERO,
        mac: HardwareAddress::New,
    });
    assert_eq!(steps(), expected);
}

#[test]
fn each_step_is_told_in_words() {
    let told: Vec<String> = steps().iter().map(Action::to_string).collect();
    assert_eq!(
        told,
        [
            "impair what the client sends: delay 0.1s, jitter 0.02s, reorder 25 %, loss 5 %, duplicate 100 %, rate 64 kbit/s, \
             seed 4294967295",
            "impair what the client sends no more",
            "remove the client's address",
            "restore the client's address",
            "forget the neighbour towards the server on the router",
            "wrong hardware address of the neighbour towards the server on the client",
            "restore the neighbour towards the server on the client",
            "forwarding off at the router",
            "forwarding on at the router",
            "flap the server's cable 3 times, every 2s",
            "reboot the server, 0s down, with another hardware address",
        ]
    );
}

/// What is a repair is none of the faults, of which the first is the zero of all times.
#[test]
fn what_is_undone_is_a_repair() {
    let repairs: Vec<usize> = steps()
        .iter()
        .enumerate()
        .filter_map(|(position, action)| action.is_repair().then_some(position))
        .collect();
    assert_eq!(repairs, [1, 3, 6, 8]);
    assert!(
        steps()
            .iter()
            .all(|action| action.is_fault() != action.is_repair())
    );
}
