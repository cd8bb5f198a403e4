//! An answer out of a file: found, begun, and sent part by part as the client takes it.

use std::sync::Arc;

use super::{Action, Exchange, Out, Phase};
use crate::body::gunzip;
use crate::canary::{Canary, is_planted};
use crate::clock::Moment;
use crate::content::file::{self, Found};
use crate::content::own;
use crate::content::packed::Packing;
use crate::content::precondition::{self, Verdict};
use crate::content::range::{self, Asked, Multipart, Range};
use crate::fault::Fault;
use crate::files::{self, Facts, File, FileSent, Opened};
use crate::phases::{Content, Seen};
use crate::response::Response;

/// So much of a file at most goes out by way of memory, in one write with the head before it.
const SMALL_BYTES: u64 = 32 << 10;
/// More is not held of an answer, but for the head of one part.
const HELD_BYTES_MAX: usize = 64 << 10;
/// So much of it is sent at once, before other connections have their turn.
const PART_BYTES: u64 = 1 << 20;

/// What is still to be sent of an answer's content.
#[derive(Debug)]
pub struct Sending {
    file: Box<dyn File>,
    /// The next one is the last.
    pieces: Vec<Piece>,
    multipart: Option<Multipart>,
    /// It is sent in one piece.
    is_whole: bool,
}

impl Sending {
    fn set_parts(&mut self, parts: &[Range], multipart: Option<Multipart>) {
        self.pieces.clear();
        self.pieces.extend(multipart.is_some().then_some(Piece::End));
        for (range, first) in parts.iter().rev().zip(parts) {
            let is_swapped = is_planted(Canary::PartsSwapped);
            self.pieces.push(Piece::File(if is_swapped { *first } else { *range }));
            self.pieces.extend(multipart.is_some().then_some(Piece::Head(*range)));
        }
        self.multipart = multipart;
    }
}

/// A piece of content.
#[derive(Debug, PartialEq, Eq)]
enum Piece {
    /// Bytes of the file.
    File(Range),
    /// What stands before one of several parts.
    Head(Range),
    /// What stands behind the last of them.
    End,
}

/// Some bytes of a file.
pub struct Part<'e> {
    /// The file.
    pub file: &'e dyn File,
    /// Where they begin.
    pub from: u64,
    /// How many they are, at least one.
    pub bytes: usize,
}

impl Exchange {
    /// Answers with what the path leads to.
    pub(super) fn answer_file(&mut self, now: Moment, out: &mut Out) {
        let seen = Seen { response: &self.down.response, attempts: &self.attempts, now };
        match file::find(&seen.view(&self.request)) {
            Found::File(opened, packing) => self.answer_opened(opened, packing, now, out),
            Found::Listing(body, content_type) => {
                let mut response = std::mem::take(&mut self.down.response);
                let context = self.context(false, false, now);
                own::make_listing(body, content_type, &context, &self.carried, &mut response);
                self.conclude(response, None, now, out);
            }
            Found::Status(status) => self.answer(Content::Status(status), now, out),
            Found::Folder => self.answer(Content::SlashRedirect, now, out),
            Found::Index(path) if path.first() == Some(&b'/') => {
                if self.may_go(now, out) {
                    let args = std::mem::take(&mut self.request.uri.args);
                    self.request.redirect(&path, &args);
                    self.run_phases(now, out);
                }
            }
            Found::Index(_) => self.answer(Content::Status(404), now, out),
        }
    }

    fn answer_opened(&mut self, opened: Opened, packing: Packing, now: Moment, out: &mut Out) {
        debug_assert!(!self.down.is_begun, "an answer is made once");
        let Opened { facts, file } = opened;
        let mut response = std::mem::take(&mut self.down.response);
        let context = self.context(false, false, now);
        own::make_file(&facts, packing, &context, &self.carried, &mut response);
        let whole = vec![Piece::File(Range { from: 0, to: facts.bytes })];
        let sending = Sending { file, pieces: whole, multipart: None, is_whole: packing.is_gzip };
        self.conclude(response, Some((facts, sending)), now, out);
    }

    /// Sends the answer, or as much of it as the client asks for, if it has not got it.
    fn conclude(
        &mut self,
        mut response: Response,
        mut content: Option<(Facts, Sending)>,
        now: Moment,
        out: &mut Out,
    ) {
        if self.request.course.has_no_answer() {
            self.down.response = response;
            return self.judge(now, out);
        }
        if response.status == 200 && !self.request.course.is_sub() {
            let modified_s = content.as_ref().map(|(facts, _)| facts.modified_s);
            let status = match precondition::check(&self.request, &response, modified_s) {
                Verdict::Holds => content.as_mut().and_then(|(facts, to_send)| {
                    self.choose_parts(facts, &mut response, to_send, now)
                }),
                Verdict::NotModified => {
                    own::make_not_modified(&mut response);
                    None
                }
                Verdict::Fails => Some(412),
            };
            if let Some(status) = status {
                self.down.response = response;
                return self.answer(Content::Status(status), now, out);
            }
        }
        self.down.errands.sending = content.map(|(_, sending)| Box::new(sending));
        self.send_answer(response, false, false, now, out);
    }

    /// Which parts of the file are sent; a status where none can be.
    fn choose_parts(
        &mut self,
        facts: &Facts,
        response: &mut Response,
        sending: &mut Sending,
        now: Moment,
    ) -> Option<u16> {
        let files = Arc::clone(&self.location().files);
        let parts_max = files.parts_max;
        // nginx: of what is packed only the whole is sent.
        let is_changed = response.is_changed(&self.context(false, false, now));
        if parts_max == 0 || sending.is_whole || is_changed {
            return None;
        }
        response.packing.varies |= response.is_gzip_meant(&self.request);
        let limits = (facts.bytes, parts_max);
        match range::asked(&self.request, response, facts.modified_s, limits) {
            Asked::Whole => response.push(b"Accept-Ranges", b"bytes"),
            Asked::Parts(parts) => {
                let multipart = (parts.len() > 1).then(|| {
                    let told = response.begin_parts(&self.context(false, false, now));
                    let part_type = told.as_ref().unwrap_or(&response.body_type);
                    Multipart::new(&self.request, part_type, facts.bytes)
                });
                own::make_parts(&parts, multipart.as_ref(), facts.bytes, response);
                sending.set_parts(&parts, multipart);
            }
            Asked::Unsatisfiable => {
                self.carry_length(facts.bytes, response.packing.varies);
                return Some(416);
            }
        }
        None
    }

    /// The head is out; what is small goes with it.
    pub(super) fn begin_sending(&mut self, now: Moment, out: &mut Out) {
        if self.is_calling() {
            self.link_action.get_or_insert(Action::DropLink);
            self.wants_connect = false;
        }
        self.phase = Phase::Sending;
        self.send_on(now, out);
    }

    /// Sends what goes by way of memory, and ends the answer where nothing is left.
    pub fn send_on(&mut self, now: Moment, out: &mut Out) {
        while let Some(sending) = &mut self.down.errands.sending {
            match sending.pieces.pop() {
                None => self.down.errands.sending = None,
                Some(Piece::Head(range)) => {
                    let mut text = Vec::new();
                    sending.multipart.iter().for_each(|one| one.push_head(range, &mut text));
                    self.down.push_data(&text, &mut out.client);
                }
                Some(Piece::End) => {
                    let mut text = Vec::new();
                    sending.multipart.iter().for_each(|one| one.push_end(&mut text));
                    self.down.push_data(&text, &mut out.client);
                }
                Some(Piece::File(Range { from, to })) if from >= to => {}
                Some(Piece::File(range)) if self.down.response.packing.chain.is_some() => {
                    match self.pass_part(range, out) {
                        Ok(true) => {}
                        Ok(false) => return,
                        Err(fault) => return self.file_failed(fault),
                    }
                }
                Some(Piece::File(Range { from, to }))
                    if to - from <= SMALL_BYTES && out.client.len() <= HELD_BYTES_MAX =>
                {
                    let start = out.client.len();
                    let end = start + usize::try_from(to - from).unwrap_or(0);
                    out.client.resize(end, 0);
                    let room = out.client.get_mut(start..).unwrap_or_default();
                    match read_all(&*sending.file, room, from) {
                        Ok(()) => self.down.sent.body_bytes += to - from,
                        Err(fault) => {
                            out.client.truncate(start);
                            return self.file_failed(fault);
                        }
                    }
                }
                Some(piece) => return sending.pieces.push(piece),
            }
        }
        self.end_own_answer(now, out);
    }

    /// Content of a file that filters change goes by way of memory, a part at a time. True where
    /// this was the last of the range.
    fn pass_part(&mut self, range: Range, out: &mut Out) -> Result<bool, Fault> {
        let is_unpacked = self.location().client.bodies.unpacks;
        let most = if is_unpacked { gunzip::PIECE_BYTES as u64 } else { SMALL_BYTES };
        let end = range.to.min(range.from.saturating_add(most));
        let Some(sending) = &mut self.down.errands.sending else { return Ok(true) };
        let mut part = vec![0; usize::try_from(end - range.from).unwrap_or(0)];
        read_all(&*sending.file, &mut part, range.from)?;
        let is_last = end == range.to;
        if !is_last {
            sending.pieces.push(Piece::File(Range { from: end, to: range.to }));
        }
        self.down.push_data(&part, &mut out.client);
        if self.down.is_content_bad() {
            return Err(Fault::NotGzip);
        }
        Ok(is_last)
    }

    /// Whether a file's next part goes by way of memory: [`Exchange::send_on`] takes it.
    pub fn passes_file(&self) -> bool {
        self.is_sending() && self.down.response.packing.chain.is_some()
    }

    /// Whether a file's next part goes out as it is, once all is written that stands before it.
    pub fn is_before_file(&self) -> bool {
        self.is_sending() && !self.passes_file()
    }

    /// What of a file is to be sent next, without a way through memory.
    pub fn file_part(&self) -> Option<Part<'_>> {
        let sending = self.down.errands.sending.as_ref().filter(|_| self.is_sending())?;
        debug_assert!(self.down.response.packing.chain.is_none(), "a filter is not passed by");
        let Piece::File(Range { from, to }) = *sending.pieces.last()? else { return None };
        let bytes = usize::try_from((to - from).min(PART_BYTES)).ok()?;
        Some(Part { file: &*sending.file, from, bytes })
    }

    /// Some of that part was sent, or why none was.
    pub fn file_sent(&mut self, sent: FileSent, now: Moment, out: &mut Out) {
        match sent {
            FileSent::Bytes(count) => {
                let count = count as u64;
                self.down.sent.body_bytes += count;
                self.down.taken_ms = now.ms;
                let sending = self.down.errands.sending.as_mut();
                if let Some(Piece::File(Range { from, to })) =
                    sending.and_then(|sending| sending.pieces.last_mut())
                {
                    *from += if is_planted(Canary::FileSentTwice) { count / 2 } else { count };
                    debug_assert!(*from <= *to, "no more is sent than there is");
                    if from >= to {
                        self.send_on(now, out);
                    }
                }
            }
            // The connection tells it by itself.
            FileSent::Nothing | FileSent::Broken(_) => {}
            FileSent::Cut if is_planted(Canary::CutFileIsWhole) => {
                self.down.errands.sending.iter_mut().for_each(|sending| sending.pieces.clear());
                self.send_on(now, out);
            }
            FileSent::Cut => self.file_failed(Fault::FileCut),
            FileSent::Unreadable(cause) => self.file_failed(Fault::FileUnreadable(cause)),
        }
    }

    /// Whether content comes out of a file.
    pub fn is_sending(&self) -> bool {
        self.phase == Phase::Sending
    }

    /// The client must see that what it got is not all.
    fn file_failed(&mut self, fault: Fault) {
        self.fault = Some(fault);
        self.cut_off();
    }

    /// The request's body while its answer is sent: nobody wants it.
    pub(super) fn throw_away(&mut self, bytes: &[u8]) -> usize {
        let mut used = 0;
        while !self.down.has_request() {
            match self.down.body.read(bytes.get(used..).unwrap_or_default()) {
                Ok(part) if part.used == 0 && !self.down.has_request() => break,
                Ok(part) => used += part.used,
                Err(reject) => {
                    self.fault = Some(Fault::Client(reject));
                    self.cut_off();
                    break;
                }
            }
        }
        used
    }

    /// Goes where `try_files` leads.
    pub(super) fn go_elsewhere(&mut self, now: Moment, out: &mut Out) {
        let to = std::mem::take(&mut self.request.course.moved_to);
        match to.first() {
            Some(b'/') if self.may_go(now, out) => {
                let end = to.iter().position(|byte| *byte == b'?').unwrap_or(to.len());
                let (path, args) = to.split_at_checked(end).unwrap_or_default();
                self.request.redirect(path, args.get(1..).unwrap_or_default());
                // nginx: a query is there, even where none is written.
                self.request.uri.has_new_args = true;
                self.run_phases(now, out);
            }
            Some(b'/') => {}
            Some(b'@') => self.go_to_named(&to, None, now, out),
            _ => self.answer(Content::Status(404), now, out),
        }
    }
}

/// Fills the room from a place of the file on.
fn read_all(file: &dyn File, room: &mut [u8], from: u64) -> Result<(), Fault> {
    match files::fill(file, room, from) {
        Ok(count) if count < room.len() => Err(Fault::FileCut),
        Ok(_) => Ok(()),
        Err(cause) => Err(Fault::FileUnreadable(cause)),
    }
}
