//! What was seen while a schedule ran: acknowledgements as they were given, failures as they happened, and a trace.

use round::document::Declaration;
use tables::unit::Unit;

use crate::message::{Opened, PartyId, Reply, Request};

/// Something a party acknowledged: it must be on that party's disk for good (KEEP-1).
pub enum Acknowledged {
    /// By the region.
    Declaration(Unit, Declaration),
    /// By the region.
    Answer(Unit, u32, Vec<Vec<u32>>),
    /// By the region: the report's bytes.
    Report(Unit, u32, Vec<u8>),
    /// By the helper.
    Pattern(u32),
    /// By the helper.
    Verified(Unit, u32),
    /// By the helper.
    Opened(u32, Opened),
}

/// What was seen.
#[derive(Default)]
pub struct Record {
    /// In the order they were given, repeated ones included.
    pub acknowledged: Vec<Acknowledged>,
    /// Failures in words.
    pub failures: Vec<String>,
    /// How often a lie was read.
    pub told: usize,
    /// Whether somebody noticed.
    pub noticed: bool,
    /// One line an event, for people; content never.
    pub trace: Vec<String>,
}

impl Record {
    /// Notes an event.
    pub fn trace(&mut self, at: i64, line: impl std::fmt::Display) {
        self.trace.push(format!("{:>3}:{:02}:{:02} {line}", at / 3600, at / 60 % 60, at % 60));
    }

    /// Notes a reply when it is given: what happens to it afterwards changes nothing.
    pub fn acknowledge(&mut self, from: &PartyId, request: &Request, reply: &Reply) {
        let seen = match (from, request, reply) {
            (PartyId::Node(unit), Request::Declare(declaration, _), Reply::Done) => {
                Acknowledged::Declaration(unit.clone(), declaration.clone())
            }
            (PartyId::Node(unit), Request::Answer { round, lines, .. }, Reply::Done) => {
                Acknowledged::Answer(unit.clone(), *round, lines.clone())
            }
            (PartyId::Node(unit), Request::Submit { round, bytes, .. }, Reply::Done) => {
                Acknowledged::Report(unit.clone(), *round, bytes.clone())
            }
            (_, Request::PutPattern(handed), Reply::Done) => Acknowledged::Pattern(handed.document.round),
            (_, Request::Verify { round, unit, .. }, Reply::Verified(Some(_))) => {
                Acknowledged::Verified(unit.clone(), *round)
            }
            (_, Request::Close { round, .. }, Reply::Opened(opened)) => {
                Acknowledged::Opened(*round, opened.clone())
            }
            _ => return,
        };
        self.acknowledged.push(seen);
    }
}
