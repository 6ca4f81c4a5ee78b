//! Protection of one table version: plain images to canonical bytes and a line of state.

use crate::guarded;
use crate::seal::Cipher;
use crate::text::{self, NULL};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString, PyTuple};
use zeroize::Zeroize;

const TEXT: u8 = 1; // governance.seal.TEXT

enum Protect {
    Clear,
    Token(Py<PyString>),
    Seal { tier: u16, prefix: Vec<u8> },
    Drop,
}

/// How a clear text becomes input of its state column. The named ones are shortcuts for their plainest texts.
#[derive(Clone, Copy, PartialEq)]
enum Shortcut {
    Same,
    Numeric,
    Dated,
    DatedWithoutZone,
    None,
}

struct Column {
    name: Vec<u8>,
    protect: Protect,
    shortcut: Shortcut,
    convert: Py<PyAny>,
}

#[derive(Clone)]
enum Cell {
    Plain,
    Token(String),
    Sealed(Vec<u8>),
    Dropped,
}

type Image<'a> = Vec<Option<&'a str>>;

struct Made<'a, 'py> {
    plain: &'a Image<'a>,
    subject: Bound<'py, PyAny>,
    cells: Vec<Cell>,
}

/// `(name, protect, domain, tier, tail prefix, shortcut, conversion)` of a column.
type Description = (Vec<u8>, String, Py<PyString>, u16, Vec<u8>, String, Py<PyAny>);

#[pyclass(frozen, module = "cdc.native._kernel")]
pub struct Table {
    columns: Vec<Column>,
    order: Vec<usize>,
    key_at: Vec<usize>,
    subject_at: Option<usize>,
    subject_type: Py<PyString>,
    source: Py<PyString>,
    keys: Py<PyAny>,
    event: Py<PyAny>,
    table: Py<PyAny>,
}

/// The texts of an image; `None` when it holds anything but texts and nulls.
fn plain<'a>(items: &'a [Bound<'_, PyAny>]) -> Option<Image<'a>> {
    items
        .iter()
        .map(|item| {
            if item.is_none() {
                return Some(None);
            }
            Some(Some(item.cast_exact::<PyString>().ok()?.to_str().ok()?))
        })
        .collect()
}

impl Table {
    fn subject<'py>(&self, py: Python<'py>, image: &Image) -> PyResult<Bound<'py, PyAny>> {
        let keys = self.keys.bind(py);
        match self.subject_at.and_then(|at| image[at]) {
            Some(text) => keys.call_method1(intern!(py, "subject"), (&self.subject_type, text)),
            None => keys.call_method1(intern!(py, "subject"), ("source", &self.source)),
        }
    }

    fn token(&self, py: Python<'_>, domain: &Py<PyString>, text: &str) -> PyResult<String> {
        self.keys
            .bind(py)
            .call_method1(intern!(py, "token"), (domain, text))?
            .extract()
    }

    fn row_key(&self, py: Python<'_>, image: &Image) -> PyResult<Vec<u8>> {
        let mut key = vec![b'['];
        for (place, &at) in self.key_at.iter().enumerate() {
            if place > 0 {
                key.push(b',');
            }
            match (image[at], &self.columns[at].protect) {
                (None, _) => key.extend_from_slice(b"null"),
                (Some(value), Protect::Token(domain)) => {
                    let token = self.token(py, domain, value)?;
                    key.extend_from_slice(b"{\"token\":");
                    text::json(&mut key, &token);
                    key.push(b'}');
                }
                (Some(value), _) => text::json(&mut key, value),
            }
        }
        key.push(b']');
        Ok(key)
    }

    /// The image protected. `other`, the event's other one: what both have alike is made once.
    fn protected<'a, 'py>(
        &self,
        py: Python<'py>,
        plain: &'a Image<'a>,
        key: &[u8],
        other: Option<&Made<'_, 'py>>,
    ) -> PyResult<Made<'a, 'py>> {
        let subject = match other {
            Some(made) if self.subject_at.is_none_or(|at| plain[at] == made.plain[at]) => made.subject.clone(),
            _ => self.subject(py, plain)?,
        };
        let same = other.filter(|made| made.subject.is(&subject));
        let mut cells = Vec::with_capacity(plain.len());
        let mut in_hand: Option<(u16, Bound<'py, PyAny>)> = None;
        let mut tail = Vec::new();
        for (at, (column, value)) in self.columns.iter().zip(plain).enumerate() {
            let Some(value) = *value else {
                cells.push(Cell::Plain);
                continue;
            };
            let alike = |made: &&Made| made.plain[at] == Some(value);
            cells.push(match &column.protect {
                Protect::Clear => Cell::Plain,
                Protect::Drop => Cell::Dropped,
                Protect::Token(domain) => match other.filter(alike) {
                    Some(made) => made.cells[at].clone(),
                    None => Cell::Token(self.token(py, domain, value)?),
                },
                Protect::Seal { tier, prefix } => match same.filter(alike) {
                    Some(made) => made.cells[at].clone(),
                    None => {
                        let cipher = match in_hand.take() {
                            Some((held, cipher)) if held == *tier => cipher,
                            _ => self
                                .keys
                                .bind(py)
                                .call_method1(intern!(py, "cipher"), (&subject, *tier))?,
                        };
                        tail.clear();
                        tail.extend_from_slice(prefix);
                        tail.extend_from_slice(key);
                        tail.push(b']');
                        let cell = sealed(py, &cipher, value, &tail)?;
                        in_hand = Some((*tier, cipher));
                        Cell::Sealed(cell)
                    }
                },
            });
        }
        Ok(Made { plain, subject, cells })
    }

    /// Appends the canonical bytes of the image.
    fn canonical(&self, out: &mut Vec<u8>, made: &Made) {
        for (place, &at) in self.order.iter().enumerate() {
            out.push(if place == 0 { b'{' } else { b',' });
            out.extend_from_slice(&self.columns[at].name);
            out.push(b':');
            let Some(value) = made.plain[at] else {
                out.extend_from_slice(b"null");
                continue;
            };
            match &made.cells[at] {
                Cell::Plain => text::json(out, value),
                Cell::Dropped => out.extend_from_slice(b"{\"dropped\":\"\"}"),
                Cell::Token(token) => {
                    out.extend_from_slice(b"{\"token\":");
                    text::json(out, token);
                    out.push(b'}');
                }
                Cell::Sealed(cell) => {
                    out.extend_from_slice(b"{\"seal\":\"");
                    text::base64(out, cell);
                    out.extend_from_slice(b"\"}");
                }
            }
        }
        if self.order.is_empty() {
            out.push(b'{');
        }
        out.push(b'}');
    }

    /// Appends a line of COPY's text format with the columns that state has; `deleted`: of the key columns alone.
    fn line(&self, py: Python<'_>, out: &mut Vec<u8>, made: &Made, deleted: bool) -> PyResult<()> {
        let mut first = true;
        for (at, column) in self.columns.iter().enumerate() {
            if matches!(column.protect, Protect::Drop) {
                continue;
            }
            if !first {
                out.push(b'\t');
            }
            first = false;
            match made.plain[at] {
                Some(value) if !deleted || self.key_at.contains(&at) => match &made.cells[at] {
                    Cell::Token(token) => out.extend_from_slice(token.as_bytes()),
                    Cell::Sealed(cell) => {
                        out.extend_from_slice(b"\\\\x");
                        text::hex(out, cell);
                    }
                    _ => column.state(py, out, value)?,
                },
                _ => out.extend_from_slice(NULL),
            }
        }
        Ok(())
    }
}

fn sealed(py: Python<'_>, cipher: &Bound<'_, PyAny>, value: &str, tail: &[u8]) -> PyResult<Vec<u8>> {
    let mut plain = Vec::with_capacity(1 + value.len());
    plain.push(TEXT);
    plain.extend_from_slice(value.as_bytes());
    let cell = match cipher.cast_exact::<Cipher>() {
        Ok(native) => native.get().cell(&plain, tail),
        Err(_) => cipher
            .call_method1(intern!(py, "seal"), (PyBytes::new(py, &plain), PyBytes::new(py, tail)))
            .and_then(|cell| cell.extract()),
    };
    plain.zeroize();
    cell
}

impl Column {
    fn state(&self, py: Python<'_>, out: &mut Vec<u8>, value: &str) -> PyResult<()> {
        let bytes = value.as_bytes();
        let plainest = match self.shortcut {
            Shortcut::Same => true,
            Shortcut::None => false,
            Shortcut::Numeric => bytes.iter().all(|byte| byte.is_ascii_digit() || b".-".contains(byte)),
            Shortcut::Dated | Shortcut::DatedWithoutZone => {
                matches!(bytes.first(), Some(b'1'..=b'9'))
                    && bytes.iter().all(|b| b.is_ascii_digit() || b"-:.TZ".contains(b))
            }
        };
        if !plainest {
            let converted = self.convert.bind(py).call1((value,))?;
            text::copy_text(out, converted.cast::<PyString>()?.to_str()?);
        } else if self.shortcut == Shortcut::DatedWithoutZone {
            text::copy_text(out, value.strip_suffix('Z').unwrap_or(value));
        } else {
            text::copy_text(out, value);
        }
        Ok(())
    }
}

#[pymethods]
impl Table {
    #[new]
    #[pyo3(signature = (*, columns, order, key_at, subject_at, subject_type, source, keys, event, table))]
    #[allow(clippy::too_many_arguments)]
    fn new(
        columns: Vec<Description>,
        order: Vec<usize>,
        key_at: Vec<usize>,
        subject_at: Option<usize>,
        subject_type: Py<PyString>,
        source: Py<PyString>,
        keys: Py<PyAny>,
        event: Py<PyAny>,
        table: Py<PyAny>,
    ) -> Self {
        let columns = columns
            .into_iter()
            .map(|(name, protect, domain, tier, prefix, shortcut, convert)| Column {
                name,
                protect: match protect.as_str() {
                    "token" => Protect::Token(domain),
                    "seal" => Protect::Seal { tier, prefix },
                    "drop" => Protect::Drop,
                    _ => Protect::Clear,
                },
                shortcut: match shortcut.as_str() {
                    "same" => Shortcut::Same,
                    "numeric" => Shortcut::Numeric,
                    "dated" => Shortcut::Dated,
                    "dated-without-zone" => Shortcut::DatedWithoutZone,
                    _ => Shortcut::None,
                },
                convert,
            })
            .collect();
        Self {
            columns,
            order,
            key_at,
            subject_at,
            subject_type,
            source,
            keys,
            event,
            table,
        }
    }

    /// The protected event; `None` when it is not an ordinary one.
    fn protect<'py>(&self, py: Python<'py>, event: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyAny>>> {
        guarded(|| {
            if !event.getattr(intern!(py, "other_key"))?.is_none() {
                return Ok(None);
            }
            let before: Vec<Bound<'py, PyAny>>;
            let after: Vec<Bound<'py, PyAny>>;
            let (had, has) = (
                event.getattr(intern!(py, "before"))?,
                event.getattr(intern!(py, "after"))?,
            );
            before = items(&had)?;
            after = items(&has)?;
            let (Some(before), Some(after)) = (plain(&before), plain(&after)) else {
                return Ok(None);
            };
            let width = self.columns.len();
            if (!had.is_none() && before.len() != width) || (!has.is_none() && after.len() != width) {
                return Ok(None);
            }
            let key = self.row_key(py, if has.is_none() { &before } else { &after })?;
            let made_after = if has.is_none() {
                None
            } else {
                Some(self.protected(py, &after, &key, None)?)
            };
            let made_before = if had.is_none() {
                None
            } else {
                Some(self.protected(py, &before, &key, made_after.as_ref())?)
            };
            let mut buffer = Vec::with_capacity(1024); // one for all three, which each end as Python's own
            match (&made_after, &made_before) {
                (Some(made), _) => self.line(py, &mut buffer, made, false)?,
                (None, Some(made)) => self.line(py, &mut buffer, made, true)?,
                _ => return Ok(None),
            }
            let (Ok(key), Ok(state)) = (std::str::from_utf8(&key), std::str::from_utf8(&buffer)) else {
                return Ok(None);
            };
            let state = PyString::new(py, state);
            let mut image = |made: &Option<Made<'_, 'py>>| {
                made.as_ref().map(|made| {
                    buffer.clear();
                    self.canonical(&mut buffer, made);
                    PyBytes::new(py, &buffer)
                })
            };
            let (image_before, image_after) = (image(&made_before), image(&made_after));
            let label = |made: &Option<Made<'_, 'py>>| {
                made.as_ref()
                    .map(|made| made.subject.getattr(intern!(py, "label")))
                    .transpose()
            };
            let none = || py.None().into_bound(py);
            let bytes = |made: Option<Bound<'py, PyBytes>>| made.map_or_else(none, Bound::into_any);
            let members = [
                event.getattr(intern!(py, "origin"))?,
                self.table.bind(py).clone(),
                event.getattr(intern!(py, "operation"))?,
                PyString::new(py, key).into_any(),
                bytes(image_before),
                bytes(image_after),
                label(&made_before)?.unwrap_or_else(none),
                label(&made_after)?.unwrap_or_else(none),
                state.into_any(),
                none(),
                none(),
                none(),
                event.getattr(intern!(py, "before_missing"))?,
            ];
            Ok(Some(self.event.bind(py).call1(PyTuple::new(py, members)?)?))
        })
    }
}

fn items<'py>(image: &Bound<'py, PyAny>) -> PyResult<Vec<Bound<'py, PyAny>>> {
    if image.is_none() {
        return Ok(Vec::new());
    }
    Ok(image.cast_exact::<PyTuple>()?.iter().collect())
}
