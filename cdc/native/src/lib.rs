//! What is done to every ordinary row change, in native code: the Python path beside it is the reference.
//!
//! Whatever is not an ordinary change is answered with `None`, and Python does it. No error carries a value.

mod change;
mod payload;
mod seal;
mod table;
mod text;

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs `work`; a panic in it becomes an error without content.
pub fn guarded<T>(work: impl FnOnce() -> PyResult<T>) -> PyResult<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        Err(PyRuntimeError::new_err(
            "the native kernel failed (start with CDC_NATIVE=0)",
        ))
    })
}

#[pymodule]
fn _kernel(module: &Bound<'_, PyModule>) -> PyResult<()> {
    // A panic's message may quote what was worked on.
    std::panic::set_hook(Box::new(|_| {}));
    module.add_class::<seal::Cipher>()?;
    module.add_class::<table::Table>()?;
    module.add_class::<change::Form>()?;
    module.add_class::<change::Draft>()?;
    module.add_class::<payload::Rows>()?;
    Ok(())
}
