//! Sealed cells: AES-256-SIV (RFC 5297), as `governance.seal.CellCipher` makes them.

use crate::guarded;
use aes_siv::KeyInit;
use aes_siv::siv::Aes256Siv;
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::sync::Mutex;

const HEADER: usize = 20;

/// Seals the cells of one data key. The key is wiped when the object goes.
#[pyclass(frozen, module = "cdc.native._kernel")]
pub struct Cipher {
    siv: Mutex<Aes256Siv>,
    header: [u8; HEADER],
}

impl Cipher {
    /// Header, SIV and ciphertext of `plain`, bound to the header and `tail`.
    pub fn cell(&self, plain: &[u8], tail: &[u8]) -> PyResult<Vec<u8>> {
        let mut bound = Vec::with_capacity(HEADER + tail.len());
        bound.extend_from_slice(&self.header);
        bound.extend_from_slice(tail);
        let failed = || PyRuntimeError::new_err("the native kernel cannot seal");
        let sealed = self
            .siv
            .lock()
            .map_err(|_| failed())?
            .encrypt([&bound], plain)
            .map_err(|_| failed())?;
        let mut cell = Vec::with_capacity(HEADER + sealed.len());
        cell.extend_from_slice(&self.header);
        cell.extend_from_slice(&sealed);
        Ok(cell)
    }
}

#[pymethods]
impl Cipher {
    #[new]
    fn new(data_key: &[u8], header: &[u8]) -> PyResult<Self> {
        guarded(|| {
            let wrong = || PyValueError::new_err("a data key has 64 bytes and a cell header 20");
            let siv = Aes256Siv::new_from_slice(data_key).map_err(|_| wrong())?;
            Ok(Self {
                siv: Mutex::new(siv),
                header: header.try_into().map_err(|_| wrong())?,
            })
        })
    }

    #[getter]
    fn header<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.header)
    }

    fn seal<'py>(&self, py: Python<'py>, kind_and_plaintext: &[u8], ad_tail: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
        guarded(|| Ok(PyBytes::new(py, &self.cell(kind_and_plaintext, ad_tail)?)))
    }

    fn __repr__(&self) -> String {
        let mut hex = Vec::new();
        crate::text::hex(&mut hex, &self.header);
        format!("Cipher(header={})", String::from_utf8_lossy(&hex))
    }
}
