//! Payloads of one table version to events, as `cdc.rows.RowDecoder` makes them.
//!
//! Strict about the form that Debezium writes (no white space, scalars only); whatever else comes is Python's to judge.

use crate::guarded;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString, PyTuple};
use std::borrow::Cow;

/// What stands for a text and for bytes that were not sent: `cdc.rows.PLACEHOLDER`, as it is and in base64.
const PLACEHOLDERS: [&str; 2] = ["__debezium_unavailable_value", "X19kZWJleml1bV91bmF2YWlsYWJsZV92YWx1ZQ=="];

#[derive(Clone, Copy, PartialEq)]
enum Wire {
    Text,
    /// With a sign in front it is Python's to spell (`cdc.values.postgres.rendering_of`).
    Date,
    Integer,
    Boolean,
    Other,
}

/// Parses JSON without white space; every method answers `None` for what it does not expect.
struct Scan<'a> {
    json: &'a [u8],
    at: usize,
}

impl<'a> Scan<'a> {
    fn peek(&self) -> Option<u8> {
        self.json.get(self.at).copied()
    }

    fn take(&mut self, expected: &[u8]) -> Option<()> {
        self.json[self.at..]
            .starts_with(expected)
            .then(|| self.at += expected.len())
    }

    fn null(&mut self) -> bool {
        self.take(b"null").is_some()
    }

    fn string(&mut self) -> Option<Cow<'a, str>> {
        self.take(b"\"")?;
        let start = self.at;
        loop {
            match self.peek()? {
                b'"' => break,
                b'\\' => return self.escaped(start),
                0..0x20 => return None,
                _ => self.at += 1,
            }
        }
        let text = std::str::from_utf8(&self.json[start..self.at]).ok()?;
        self.at += 1;
        Some(Cow::Borrowed(text))
    }

    fn escaped(&mut self, start: usize) -> Option<Cow<'a, str>> {
        let mut text = self.json[start..self.at].to_vec();
        loop {
            let byte = self.peek()?;
            self.at += 1;
            match byte {
                b'"' => break,
                0..0x20 => return None,
                b'\\' => {
                    let short = self.peek()?;
                    self.at += 1;
                    text.push(match short {
                        b'"' | b'\\' | b'/' => short,
                        b'b' => 0x08,
                        b'f' => 0x0c,
                        b'n' => b'\n',
                        b'r' => b'\r',
                        b't' => b'\t',
                        b'u' => {
                            let mut utf8 = [0; 4];
                            text.extend_from_slice(self.code_point()?.encode_utf8(&mut utf8).as_bytes());
                            continue;
                        }
                        _ => return None,
                    });
                }
                _ => text.push(byte),
            }
        }
        String::from_utf8(text).ok().map(Cow::Owned)
    }

    fn code_point(&mut self) -> Option<char> {
        let first = self.unit()?;
        if !(0xd800..0xdc00).contains(&first) {
            return char::from_u32(first); // None for a lone low surrogate
        }
        self.take(b"\\u")?;
        let second = self.unit()?;
        if !(0xdc00..0xe000).contains(&second) {
            return None;
        }
        char::from_u32(0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00))
    }

    fn unit(&mut self) -> Option<u32> {
        let digits = self.json.get(self.at..self.at + 4)?;
        if !digits.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        self.at += 4;
        u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    }

    /// An integer's digits as they are. Neither `-0` nor one of more than 64 bits.
    fn integer(&mut self) -> Option<&'a str> {
        let digits = self.number()?;
        digits
            .parse::<i64>()
            .is_ok_and(|number| number != 0 || digits == "0")
            .then_some(digits)
    }

    fn int(&mut self) -> Option<i64> {
        self.integer()?.parse().ok()
    }

    /// A number's characters as they are (RFC 8259 §6).
    fn number(&mut self) -> Option<&'a str> {
        let start = self.at;
        let _ = self.take(b"-");
        match self.peek()? {
            b'0' => self.at += 1,
            b'1'..=b'9' => self.digits()?,
            _ => return None,
        }
        if self.take(b".").is_some() {
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        std::str::from_utf8(&self.json[start..self.at]).ok()
    }

    fn digits(&mut self) -> Option<()> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        (self.at > start).then_some(())
    }

    fn boolean(&mut self) -> Option<&'static str> {
        if self.take(b"true").is_some() {
            Some("true")
        } else {
            self.take(b"false").map(|()| "false")
        }
    }

    /// A scalar that nobody asks for.
    fn skip(&mut self) -> Option<()> {
        match self.peek()? {
            b'"' => self.string().map(drop),
            b'n' => self.take(b"null"),
            b't' | b'f' => self.boolean().map(drop),
            _ => self.integer().map(drop),
        }
    }

    /// Calls `member` with each name of an object, at its value.
    fn object(&mut self, mut member: impl FnMut(&mut Self, &str) -> Option<()>) -> Option<()> {
        self.take(b"{")?;
        if self.take(b"}").is_some() {
            return Some(());
        }
        loop {
            let name = self.string()?;
            self.take(b":")?;
            member(self, &name)?;
            if self.take(b"}").is_some() {
                return Some(());
            }
            self.take(b",")?;
        }
    }

    fn or_null<T>(&mut self, parse: impl FnOnce(&mut Self) -> Option<T>) -> Option<Option<T>> {
        if self.null() { Some(None) } else { parse(self).map(Some) }
    }
}

type Cells<'a> = Vec<Option<Cow<'a, str>>>;

#[derive(Default)]
struct Source<'a> {
    schema: Option<Cow<'a, str>>,
    table: Option<Cow<'a, str>>,
    ts_ms: Option<i64>,
    ts_ns: Option<i64>,
    snapshot: Option<Cow<'a, str>>,
    sequence: Option<Cow<'a, str>>,
    lsn: Option<i64>,
}

#[derive(Default)]
struct Envelope<'a> {
    before: Option<Cells<'a>>,
    after: Option<Cells<'a>>,
    had_before: bool,
    had_after: bool,
    source: Option<Source<'a>>,
    op: Option<Cow<'a, str>>,
    ts_ms: Option<i64>,
    ts_ns: Option<i64>,
    transaction: Option<(Cow<'a, str>, i64)>,
}

#[pyclass(frozen, module = "cdc.native._kernel")]
pub struct Rows {
    columns: Vec<(String, Wire)>,
    schema: String,
    name: String,
    version: Py<PyAny>,
    origin: Py<PyAny>,
    transaction: Py<PyAny>,
    event: Py<PyAny>,
    operations: [Py<PyString>; 4],
}

impl Rows {
    fn image<'a>(&self, scan: &mut Scan<'a>) -> Option<Cells<'a>> {
        let width = self.columns.len();
        let mut cells: Vec<Option<Option<Cow<'a, str>>>> = vec![None; width];
        let (mut next, mut found) = (0, 0);
        scan.object(|scan, name| {
            // Columns come in the order of the schema.
            if self.columns.get(next).is_none_or(|(column, _)| column != name) {
                next = self.columns.iter().position(|(column, _)| column == name)?;
            }
            if cells[next].is_some() {
                return None;
            }
            let wire = self.columns[next].1;
            cells[next] = Some(scan.or_null(|scan| match wire {
                Wire::Text => scan.string(),
                Wire::Date => scan.string().filter(|text| !text.starts_with(['+', '-'])),
                Wire::Integer => scan.integer().map(Cow::Borrowed),
                Wire::Boolean => scan.boolean().map(Cow::Borrowed),
                Wire::Other => match scan.peek()? {
                    b'"' => scan.string(),
                    b't' | b'f' => scan.boolean().map(Cow::Borrowed),
                    _ => scan.number().map(Cow::Borrowed),
                },
            })?);
            next += 1;
            found += 1;
            Some(())
        })?;
        if found == width {
            cells.into_iter().collect()
        } else {
            None
        }
    }

    fn envelope<'a>(&self, scan: &mut Scan<'a>) -> Option<Envelope<'a>> {
        let mut envelope = Envelope::default();
        scan.object(|scan, name| {
            match name {
                "before" => {
                    envelope.before = scan.or_null(|scan| self.image(scan))?;
                    envelope.had_before = true;
                }
                "after" => {
                    envelope.after = scan.or_null(|scan| self.image(scan))?;
                    envelope.had_after = true;
                }
                "source" => envelope.source = Some(source(scan)?),
                "op" => envelope.op = Some(scan.string()?),
                "ts_ms" => envelope.ts_ms = Some(scan.int()?),
                "ts_ns" => envelope.ts_ns = scan.or_null(Scan::int)?,
                "transaction" => envelope.transaction = scan.or_null(block)?,
                _ => scan.skip()?,
            }
            Some(())
        })?;
        (scan.at == scan.json.len() && envelope.had_before && envelope.had_after).then_some(envelope)
    }
}

fn source<'a>(scan: &mut Scan<'a>) -> Option<Source<'a>> {
    let mut source = Source::default();
    scan.object(|scan, name| {
        match name {
            "schema" => source.schema = Some(scan.string()?),
            "table" => source.table = Some(scan.string()?),
            "ts_ms" => source.ts_ms = Some(scan.int()?),
            "ts_ns" => source.ts_ns = scan.or_null(Scan::int)?,
            "snapshot" => source.snapshot = scan.or_null(Scan::string)?,
            "sequence" => source.sequence = scan.or_null(Scan::string)?,
            "lsn" => source.lsn = scan.or_null(Scan::int)?,
            _ => scan.skip()?,
        }
        Some(())
    })?;
    Some(source)
}

fn block<'a>(scan: &mut Scan<'a>) -> Option<(Cow<'a, str>, i64)> {
    let (mut id, mut order) = (None, None);
    scan.object(|scan, name| {
        match name {
            "id" => id = Some(scan.string()?),
            "total_order" => order = Some(scan.int()?),
            _ => scan.skip()?,
        }
        Some(())
    })?;
    Some((id?, order?))
}

/// PostgreSQL's `sequence`: two LSNs, in JSON inside a string.
fn position(sequence: &str) -> Option<[Option<Cow<'_, str>>; 2]> {
    let mut scan = Scan {
        json: sequence.as_bytes(),
        at: 0,
    };
    scan.take(b"[")?;
    let first = scan.or_null(Scan::string)?;
    scan.take(b",")?;
    let second = scan.or_null(Scan::string)?;
    scan.take(b"]")?;
    (scan.at == sequence.len()).then_some([first, second])
}

fn lsn(text: &str) -> Option<i64> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        text.parse().ok()
    } else {
        None
    }
}

fn image<'py>(py: Python<'py>, cells: Option<&Cells>) -> PyResult<Bound<'py, PyAny>> {
    let Some(cells) = cells else {
        return Ok(py.None().into_bound(py));
    };
    let texts = cells
        .iter()
        .map(|cell| cell.as_deref().map(|text| PyString::new(py, text)));
    Ok(PyTuple::new(py, texts)?.into_any())
}

#[pymethods]
impl Rows {
    #[new]
    #[pyo3(signature = (*, columns, schema, name, version, origin, transaction, event))]
    #[allow(clippy::too_many_arguments)]
    fn new(
        py: Python<'_>,
        columns: Vec<(String, String)>,
        schema: String,
        name: String,
        version: Py<PyAny>,
        origin: Py<PyAny>,
        transaction: Py<PyAny>,
        event: Py<PyAny>,
    ) -> Self {
        let columns = columns
            .into_iter()
            .map(|(name, wire)| {
                let wire = match wire.as_str() {
                    "text" => Wire::Text,
                    "date" => Wire::Date,
                    "integer" => Wire::Integer,
                    "boolean" => Wire::Boolean,
                    _ => Wire::Other,
                };
                (name, wire)
            })
            .collect();
        let operations = ["c", "u", "d", "r"].map(|operation| PyString::intern(py, operation).unbind());
        Self {
            columns,
            schema,
            name,
            version,
            origin,
            transaction,
            event,
            operations,
        }
    }

    /// The change in `value` from `start` to the brace that closes it; `None` when it is not an ordinary one.
    fn decode<'py>(
        &self,
        py: Python<'py>,
        value: &Bound<'py, PyBytes>,
        start: usize,
        offset: i64,
        timestamp_ms: i64,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        guarded(|| {
            let value = value.as_bytes();
            let Some(payload) = value.get(start..value.len().saturating_sub(1)) else {
                return Ok(None);
            };
            match self.event(py, &mut Scan { json: payload, at: 0 }, offset, timestamp_ms) {
                Some(made) => made.map(Some),
                None => Ok(None),
            }
        })
    }
}

impl Rows {
    fn event<'py>(
        &self,
        py: Python<'py>,
        scan: &mut Scan<'_>,
        offset: i64,
        timestamp_ms: i64,
    ) -> Option<PyResult<Bound<'py, PyAny>>> {
        let envelope = self.envelope(scan)?;
        let source = envelope.source?;
        if source.table? != self.name || source.schema? != self.schema {
            return None;
        }
        let operation = ["c", "u", "d", "r"]
            .iter()
            .position(|known| envelope.op.as_deref() == Some(known))?;
        if (if operation == 2 {
            &envelope.before
        } else {
            &envelope.after
        })
        .is_none()
        {
            return None;
        }
        let missing = operation == 1 && envelope.before.is_none();
        if missing
            && envelope
                .after
                .iter()
                .flatten()
                .any(|cell| cell.as_deref().is_some_and(|text| PLACEHOLDERS.contains(&text)))
        {
            return None;
        }
        let nanoseconds = |milliseconds: i64| milliseconds.checked_mul(1_000_000);
        let (captured, committed) = (nanoseconds(envelope.ts_ms?)?, nanoseconds(source.ts_ms?)?);
        let sequence = source.sequence.as_deref().filter(|sequence| !sequence.is_empty());
        let position = match sequence {
            Some(sequence) => Some(position(sequence)?),
            None => None,
        };
        let commit = match (source.snapshot.as_deref(), &position) {
            (Some("false") | None, Some([Some(first), _])) => Some(lsn(first)?),
            (Some("false") | None, _) => source.lsn,
            _ => None,
        };
        let produced = nanoseconds(timestamp_ms)?;
        let captured = envelope.ts_ns.unwrap_or(captured);
        let committed = source.ts_ns.unwrap_or(committed);
        let make = || {
            let position = match &position {
                Some(both) => PyTuple::new(py, both.iter().map(Option::as_deref))?,
                None => PyTuple::empty(py),
            };
            let transaction = match &envelope.transaction {
                Some((id, order)) => {
                    let xid = id.split(':').next().unwrap_or_default();
                    self.transaction.bind(py).call1((xid, *order))?
                }
                None => py.None().into_bound(py),
            };
            let origin = (offset, produced, captured, committed, position, commit, transaction);
            let origin = self.origin.bind(py).call1(origin)?;
            let (before, after) = (
                image(py, envelope.before.as_ref())?,
                image(py, envelope.after.as_ref())?,
            );
            let none = py.None();
            let members = (
                origin,
                &self.version,
                &self.operations[operation],
                before,
                after,
                none,
                missing,
            );
            self.event.bind(py).call1(members)
        };
        Some(make())
    }
}
