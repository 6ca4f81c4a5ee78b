//! Entries of kind `change`: what `cdc.entry.ChangeForm` and `cdc.drafts.ChangeDraft` write, with leaf and COPY line.

use crate::guarded;
use crate::text::{self, NULL};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};
use sha2::{Digest, Sha256};
use std::cell::RefCell;
use std::sync::{Mutex, PoisonError};

/// What all changes of one table version share in one log. JSON texts are canonical bytes.
#[pyclass(frozen, module = "cdc.native._kernel")]
pub struct Form {
    origin: Vec<u8>,
    partition: Vec<u8>,
    plan: Vec<u8>,
    schema: Vec<u8>,
    table: Vec<u8>,
    topic_id: Vec<u8>,
    copied_name: Vec<u8>,
    /// `topic id/partition`, which a salt is of.
    place: Vec<u8>,
    inner: Sha256,
    outer: Sha256,
    calls: Calls,
}

/// What is called in Python: the row's class, what ends a transaction, and what makes an entry that needs a body.
struct Calls {
    row: Py<PyAny>,
    tail: Py<PyAny>,
    long: Py<PyAny>,
    longest: usize,
}

/// A change whose transaction may still end with it.
#[pyclass(frozen, module = "cdc.native._kernel")]
pub struct Draft {
    form: Py<Form>,
    event: Py<PyAny>,
    place: Place,
    tail: Mutex<Option<Vec<u8>>>,
}

/// Where the entry stands, and what of its record is a number.
struct Place {
    seq: i64,
    ordered_at: i64,
    ordinal: i64,
    epoch: Option<String>,
    replay_of: Option<String>,
    version: Option<i64>,
    prev: Option<i64>,
    offset: i64,
    produced_at: i64,
    captured_at: i64,
    committed_at: i64,
    transaction: Option<(String, i64)>,
}

/// Buffers that are used again, so that an entry costs no fresh memory but its row's.
#[derive(Default)]
struct Scratch {
    entry: Vec<u8>,
    line: Vec<u8>,
    place: Vec<u8>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

fn member(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    out.extend_from_slice(name);
    out.extend_from_slice(value);
}

fn number(out: &mut Vec<u8>, name: &[u8], value: i64) {
    out.extend_from_slice(name);
    out.push(b'"');
    text::decimal(out, value);
    out.push(b'"');
}

impl Form {
    fn salt(&self, out: &mut Vec<u8>, place: &mut Vec<u8>, offset: i64, ordinal: i64) {
        place.clear();
        place.extend_from_slice(&self.place);
        place.push(b'/');
        text::decimal(place, offset);
        place.push(b'/');
        text::decimal(place, ordinal);
        let (mut inner, mut outer) = (self.inner.clone(), self.outer.clone());
        inner.update(place);
        outer.update(inner.finalize());
        text::hex(out, &outer.finalize()[..16]);
    }
}

#[pymethods]
impl Form {
    #[new]
    #[pyo3(signature = (*, origin, partition, plan, schema, table, topic_id, copied_name, place, salt_key, row, tail, long, longest))]
    #[allow(clippy::too_many_arguments)]
    fn new(
        origin: Vec<u8>,
        partition: Vec<u8>,
        plan: Vec<u8>,
        schema: Vec<u8>,
        table: Vec<u8>,
        topic_id: Vec<u8>,
        copied_name: Vec<u8>,
        place: Vec<u8>,
        salt_key: &[u8],
        row: Py<PyAny>,
        tail: Py<PyAny>,
        long: Py<PyAny>,
        longest: usize,
    ) -> Self {
        let mut key = [0u8; 64]; // RFC 2104: a key longer than a block is hashed first
        if salt_key.len() > key.len() {
            key[..32].copy_from_slice(&Sha256::digest(salt_key));
        } else {
            key[..salt_key.len()].copy_from_slice(salt_key);
        }
        let pad = |with: u8| Sha256::new().chain_update(key.map(|byte| byte ^ with));
        let (inner, outer) = (pad(0x36), pad(0x5c));
        zeroize::Zeroize::zeroize(&mut key);
        let calls = Calls {
            row,
            tail,
            long,
            longest,
        };
        Self {
            origin,
            partition,
            plan,
            schema,
            table,
            topic_id,
            copied_name,
            place,
            inner,
            outer,
            calls,
        }
    }

    /// The draft of a change with a key; `None` when it is not an ordinary one. `head_of_row`: version and prev.
    #[pyo3(signature = (event, *, seq, ordered_at, ordinal, epoch, replay_of, head_of_row))]
    #[allow(clippy::too_many_arguments)]
    fn draft(
        slf: &Bound<'_, Self>,
        event: &Bound<'_, PyAny>,
        seq: i64,
        ordered_at: i64,
        ordinal: i64,
        epoch: Option<String>,
        replay_of: Option<String>,
        head_of_row: Option<(i64, Option<i64>)>,
    ) -> PyResult<Option<Draft>> {
        guarded(|| {
            let py = slf.py();
            if !event.getattr(intern!(py, "linked_key"))?.is_none() {
                return Ok(None);
            }
            let (version, prev) = head_of_row.map_or((None, None), |(version, prev)| (Some(version), prev));
            let origin = event.getattr(intern!(py, "origin"))?;
            let block = origin.getattr(intern!(py, "transaction"))?;
            let transaction = if block.is_none() {
                None
            } else {
                Some((
                    block.getattr(intern!(py, "id"))?.extract()?,
                    block.getattr(intern!(py, "order"))?.extract()?,
                ))
            };
            let time = |value: Bound<'_, PyAny>| value.extract::<Option<i64>>().map(|time| time.unwrap_or(0));
            let place = Place {
                seq,
                ordered_at,
                ordinal,
                epoch,
                replay_of,
                version,
                prev,
                offset: origin.getattr(intern!(py, "offset"))?.extract()?,
                produced_at: origin.getattr(intern!(py, "produced_at"))?.extract()?,
                captured_at: time(origin.getattr(intern!(py, "captured_at"))?)?,
                committed_at: time(origin.getattr(intern!(py, "committed_at"))?)?,
                transaction,
            };
            let form = slf.clone().unbind();
            Ok(Some(Draft {
                form,
                event: event.clone().unbind(),
                place,
                tail: Mutex::new(None),
            }))
        })
    }
}

impl Form {
    /// The COPY fields before the entry into `out`, and the entry's canonical bytes up to its transaction.
    fn write(
        &self,
        event: &Bound<'_, PyAny>,
        place: &Place,
        out: &mut Vec<u8>,
        columns: &mut Vec<u8>,
        scratch: &mut Vec<u8>,
    ) -> PyResult<()> {
        let py = event.py();
        let position = event.getattr(intern!(py, "origin"))?.getattr(intern!(py, "position"))?;
        let (before, after) = (
            event.getattr(intern!(py, "before"))?,
            event.getattr(intern!(py, "after"))?,
        );
        let before: Option<&[u8]> = before.extract()?;
        let after: Option<&[u8]> = after.extract()?;
        let (key, operation) = (
            event.getattr(intern!(py, "key"))?,
            event.getattr(intern!(py, "operation"))?,
        );
        let (key, operation): (&str, &str) = (key.extract()?, operation.extract()?);
        let subject_before = event.getattr(intern!(py, "subject_before"))?;
        let subject_after = event.getattr(intern!(py, "subject_after"))?;
        let subject_before: Option<&str> = subject_before.extract()?;
        let subject_after: Option<&str> = subject_after.extract()?;

        out.push(b'{');
        if let Some(image) = after {
            member(out, b"\"after\":", image);
            out.push(b',');
        }
        if let Some(image) = before {
            member(out, b"\"before\":", image);
            out.push(b',');
        }
        number(out, b"\"captured_at\":", place.captured_at);
        number(out, b",\"committed_at\":", place.committed_at);
        if let Some(epoch) = &place.epoch {
            out.extend_from_slice(b",\"epoch\":");
            text::json(out, epoch);
        }
        if event.getattr(intern!(py, "before_missing"))?.is_truthy()? {
            out.extend_from_slice(b",\"flags\":[\"before-missing\"]");
        }
        member(out, b",\"format\":\"1\",\"key\":", key.as_bytes());
        out.extend_from_slice(b",\"kind\":\"change\"");
        number(out, b",\"offset\":", place.offset);
        member(out, b",\"operation\":\"", operation.as_bytes());
        number(out, b"\",\"ordered_at\":", place.ordered_at);
        number(out, b",\"ordinal\":", place.ordinal);
        member(out, b",\"origin\":", &self.origin);
        member(out, b",\"partition\":", &self.partition);
        member(out, b",\"plan\":", &self.plan);
        out.extend_from_slice(b",\"position\":[");
        for (place, item) in position.cast::<PyTuple>()?.iter().enumerate() {
            if place > 0 {
                out.push(b',');
            }
            match item.extract::<Option<&str>>()? {
                Some(position) => text::json(out, position),
                None => out.extend_from_slice(b"null"),
            }
        }
        out.push(b']');
        match (place.version, place.prev) {
            (None, _) => {}
            (Some(_), None) => out.extend_from_slice(b",\"prev\":null"),
            (Some(_), Some(prev)) => number(out, b",\"prev\":", prev),
        }
        number(out, b",\"produced_at\":", place.produced_at);
        if let Some(replay) = &place.replay_of {
            out.extend_from_slice(b",\"replay_of\":");
            text::json(out, replay);
        }
        out.extend_from_slice(b",\"salt\":\"");
        self.salt(out, scratch, place.offset, place.ordinal);
        member(out, b"\",\"schema\":", &self.schema);
        number(out, b",\"seq\":", place.seq);
        out.extend_from_slice(b",\"subject\":{");
        if let Some(label) = subject_after {
            member(out, b"\"after\":\"", label.as_bytes());
            out.push(b'"');
        }
        if let Some(label) = subject_before {
            if subject_after.is_some() {
                out.push(b',');
            }
            member(out, b"\"before\":\"", label.as_bytes());
            out.push(b'"');
        }
        member(out, b"},\"table\":", &self.table);
        member(out, b",\"topic_id\":", &self.topic_id);

        let out = columns;
        text::decimal(out, place.seq);
        out.extend_from_slice(b"\tchange\t");
        text::decimal(out, place.ordered_at);
        out.push(b'\t');
        text::decimal(out, place.committed_at);
        out.push(b'\t');
        out.extend_from_slice(&self.copied_name);
        out.push(b'\t');
        text::copy_canonical(out, key.as_bytes());
        out.push(b'\t');
        out.extend_from_slice(operation.as_bytes());
        for known in [place.version, place.prev] {
            out.push(b'\t');
            match known {
                Some(known) => text::decimal(out, known),
                None => out.extend_from_slice(NULL),
            }
        }
        out.push(b'\t');
        match &place.transaction {
            Some((id, _)) => text::copy_text(out, id),
            None => out.extend_from_slice(NULL),
        }
        let subject = subject_after.or(subject_before);
        for label in [subject, subject_before.filter(|_| subject_before != subject)] {
            out.push(b'\t');
            out.extend_from_slice(label.map_or(NULL, str::as_bytes));
        }
        out.push(b'\t');
        text::decimal(out, place.offset);
        out.push(b'\t');
        text::decimal(out, place.ordinal);
        Ok(())
    }
}

impl Place {
    /// What follows the head when the transaction does not end with this change.
    fn tail(&self, entry: &mut Vec<u8>) {
        if let Some((id, order)) = &self.transaction {
            entry.extend_from_slice(b",\"transaction\":{\"id\":");
            text::json(entry, id);
            number(entry, b",\"order\":", *order);
            entry.push(b'}');
        }
        if let Some(version) = self.version {
            number(entry, b",\"version\":", version);
        }
        entry.push(b'}');
    }
}

#[pymethods]
impl Draft {
    /// Take the end of the transaction.
    fn fold(&self, py: Python<'_>, end: &Bound<'_, PyAny>) -> PyResult<()> {
        let place = &self.place;
        let tail = self.form.get().calls.tail.bind(py);
        let tail: Vec<u8> = tail.call1((place.transaction.clone(), end, place.version))?.extract()?;
        guarded(|| {
            *self.tail.lock().unwrap_or_else(PoisonError::into_inner) = Some(tail);
            Ok(())
        })
    }

    /// Its row, and its body where it needs one.
    fn finish<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        guarded(|| SCRATCH.with_borrow_mut(|scratch| self.row(py, scratch)))
    }
}

impl Draft {
    fn row<'py>(&self, py: Python<'py>, scratch: &mut Scratch) -> PyResult<Bound<'py, PyAny>> {
        let (form, Scratch { entry, line, place }) = (self.form.get(), scratch);
        entry.clear();
        line.clear();
        form.write(self.event.bind(py), &self.place, entry, line, place)?;
        match self.tail.lock().unwrap_or_else(PoisonError::into_inner).as_deref() {
            Some(tail) => entry.extend_from_slice(tail),
            None => self.place.tail(entry),
        }
        if entry.len() > form.calls.longest {
            return form
                .calls
                .long
                .bind(py)
                .call1((PyBytes::new(py, line), PyBytes::new(py, entry)));
        }
        let leaf = Sha256::new().chain_update([0u8]).chain_update(&*entry).finalize();
        line.push(b'\t');
        text::copy_canonical(line, entry);
        line.extend_from_slice(b"\t\\\\x");
        text::hex(line, &leaf);
        let row = form
            .calls
            .row
            .bind(py)
            .call1((PyBytes::new(py, line), PyBytes::new(py, &leaf)))?;
        Ok((row, py.None()).into_pyobject(py)?.into_any())
    }
}
