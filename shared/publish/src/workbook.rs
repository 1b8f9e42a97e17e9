//! The workbook: contents, about, one sheet a table; laid out as the agencies do, to be read and printed.
//!
//! Deterministic: the only time in it is the publication's date (SAME-1). Shows nothing that the strict
//! tables do not.

use rust_xlsxwriter::{DocProperties, ExcelDateTime, Workbook, XlsxError};

use crate::publication::Publication;
use crate::{sheets, text};

/// The workbook's bytes.
///
/// # Errors
/// When a limit of the file format is passed, such as a title longer than a cell.
pub fn bytes(publication: &Publication) -> Result<Vec<u8>, XlsxError> {
    let names = text::table_names(publication.collection);
    let mut workbook = Workbook::new();
    workbook.set_properties(&properties(publication)?);
    workbook.push_worksheet(sheets::contents(publication, &names)?);
    workbook.push_worksheet(sheets::about(publication)?);
    for (at, name) in names.iter().enumerate() {
        workbook.push_worksheet(sheets::table(publication, at, name)?);
    }
    workbook.save_to_buffer()
}

fn properties(publication: &Publication) -> Result<DocProperties, XlsxError> {
    let (collection, date) = (publication.collection, publication.date);
    let year = u16::try_from(date.year()).unwrap_or(0); // a year before 0 is refused with an error below
    let created = ExcelDateTime::from_ymd(year, date.month().unsigned_abs(), date.day().unsigned_abs())?;
    Ok(DocProperties::new()
        .set_title(&collection.title)
        .set_subject(publication.county())
        .set_author(&collection.contact)
        .set_comment(format!("{}, version {}", collection.id, collection.version))
        .set_creation_datetime(&created))
}
