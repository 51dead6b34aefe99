//! A guest returns the bytes of its job.

use std::thread;

use libtest_mimic::{Failed, Trial};

use crate::guest::{LIMIT, answer};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        Trial::test("answers::a_job_comes_back", a_job_comes_back),
        Trial::test("answers::every_byte_passes", every_byte_passes),
        Trial::test("answers::megabytes_pass", megabytes_pass),
        Trial::test("answers::many_guests_at_once", many_guests_at_once),
        Trial::test("answers::hours_take_no_time", hours_take_no_time),
        Trial::test("answers::nothing_of_the_host_is_seen", nothing_of_the_host),
        Trial::test("answers::two_boots_are_alike", two_boots_are_alike),
    ]
}

fn a_job_comes_back() -> Result<(), Failed> {
    assert_eq!(answer(b"a job", LIMIT)?, b"a job");
    assert_eq!(answer(b"", LIMIT)?, b"");
    Ok(())
}

/// A terminal that is not in raw mode would change some bytes.
fn every_byte_passes() -> Result<(), Failed> {
    let job: Vec<u8> = (0..=255).cycle().take(10_000).collect();
    assert_eq!(answer(&job, LIMIT)?, job);
    Ok(())
}

/// The result is larger than the pipe between guest and host.
fn megabytes_pass() -> Result<(), Failed> {
    let job: Vec<u8> = (0..=250).cycle().take(5_000_000).collect();
    assert!(answer(&job, LIMIT)? == job, "the answer is another");
    Ok(())
}

fn many_guests_at_once() -> Result<(), Failed> {
    thread::scope(|scope| {
        let guests: Vec<_> = (0..16)
            .map(|number: u32| scope.spawn(move || (number, answer(&number.to_le_bytes(), LIMIT))))
            .collect();
        for guest in guests {
            let (number, answer) = guest.join().unwrap();
            assert_eq!(answer?, number.to_le_bytes());
        }
        Ok(())
    })
}

fn hours_take_no_time() -> Result<(), Failed> {
    let slept: u64 = text(&answer(b"sleep 7200", LIMIT)?).parse()?;
    assert_eq!(slept / 1_000_000_000, 7200);
    Ok(())
}

fn nothing_of_the_host() -> Result<(), Failed> {
    let names = text(&answer(b"names /", LIMIT)?);
    let expected = "dev init job lib lib64 modules proc root sys tmp";
    assert_eq!(names.replace('\n', " "), expected);
    let network = text(&answer(b"names /sys/class/net", LIMIT)?);
    assert!(network.split('\n').any(|name| name == "lo"), "{network}");
    assert!(!network.contains("eth"), "{network}");
    Ok(())
}

fn two_boots_are_alike() -> Result<(), Failed> {
    let memory = || answer(b"read /proc/meminfo", LIMIT);
    let total = |bytes: &[u8]| text(bytes).lines().next().map(str::to_owned);
    assert_eq!(total(&memory()?), total(&memory()?));
    let uptime = || answer(b"read /proc/uptime", LIMIT);
    assert_eq!(text(&uptime()?), text(&uptime()?));
    let slept = || answer(b"sleep 10", LIMIT);
    assert_eq!(text(&slept()?), text(&slept()?));
    Ok(())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
