//! One sheet of the workbook: contents, about, or a table. Writes what `layout` and `about` say, cell by
//! cell.
//!
//! No merged cells: a group's label stands in its first column and runs on over the empty cells beside it.

use rust_xlsxwriter::{Format, FormatAlign, Url, Worksheet, XlsxError};

use crate::about::{notes, sections, subtitle};
use crate::derived::Figure;
use crate::layout::{Grid, GridRow, grid};
use crate::publication::Publication;
use crate::{styles, text};

/// Name of the first sheet.
pub const CONTENTS: &str = "Innehåll";
/// Name of the second sheet.
pub const ABOUT: &str = "Om statistiken";
/// Width of the column of running text, in the file format's characters, which are digits of 11 points.
const TEXT_WIDTH: usize = 88;
/// Characters of running text that such a column holds on a line: letters of 10 points are narrower on
/// average.
const TEXT_CHARS: usize = 100;
/// Height of a line of 10 points, in points.
const LINE: f64 = 14.0;
/// Excel's limit for a footer is 255 characters; the rest of it and doubled ampersands need some.
const FOOTER_TITLE: usize = 90;
const PAPER_A4: u8 = 9;

/// A sheet's rows and columns are counted in these by the file format.
type Line = u32;

fn col(at: usize) -> u16 {
    u16::try_from(at).unwrap_or(u16::MAX) // Excel refuses the column after 16 383 with an error
}

fn row(at: usize) -> Line {
    Line::try_from(at).unwrap_or(Line::MAX) // as for columns
}

/// Paper, margins and footer of every sheet.
fn set_up(sheet: &mut Worksheet, name: &str, title: &str, landscape: bool) -> Result<(), XlsxError> {
    sheet.set_name(name)?.set_paper_size(PAPER_A4).set_print_fit_to_pages(1, 0).set_screen_gridlines(false);
    if landscape {
        sheet.set_landscape();
    }
    sheet.set_margins(0.6, 0.6, 0.7, 0.8, 0.3, 0.4);
    let short: String = title.chars().take(FOOTER_TITLE).collect();
    sheet.set_footer(format!("&L&9{}&R&9Sida &P av &N", short.replace('&', "&&")));
    Ok(())
}

/// *Innehåll*.
pub fn contents(publication: &Publication, names: &[String]) -> Result<Worksheet, XlsxError> {
    let collection = publication.collection;
    let mut sheet = Worksheet::new();
    set_up(&mut sheet, CONTENTS, &collection.title, false)?;
    sheet.set_column_width(0, 18)?.set_column_width(1, 78)?;
    sheet.write_with_format(0, 0, collection.title.as_str(), &styles::title())?;
    let mut years: Vec<_> = collection.tables.iter().flat_map(|table| table.periods.clone()).collect();
    years.sort();
    years.dedup();
    let facts = [
        (if publication.realm.is_some() { "Område" } else { "Län" }, publication.county()),
        ("Period", text::periods(&years)),
        ("Version", collection.version.to_string()),
        ("Publicerad", publication.date.to_string()),
        ("Kontakt", publication.contact().to_owned()),
        ("Deltagande", publication.coverage()),
    ];
    let mut at = 2;
    for (name, fact) in facts {
        sheet.write_with_format(at, 0, name, &styles::body().set_bold())?;
        let lines = text::wrap(&fact, 78).len();
        sheet
            .write_with_format(at, 1, fact, &styles::paragraph())?
            .set_row_height(at, LINE * lines as f64)?;
        at += 1;
    }
    at += 1;
    sheet.write_with_format(at, 0, "Blad", &styles::header(true, true, false))?;
    sheet.write_with_format(at, 1, "Rubrik", &styles::header(true, true, false))?;
    let about = std::iter::once((ABOUT, "Källa, deltagande, röjandekontroll, bortfall och tecken"));
    let tables =
        names.iter().map(String::as_str).zip(collection.tables.iter().map(|table| table.title.as_str()));
    for (name, title) in about.chain(tables) {
        at += 1;
        let link = Url::new(format!("internal:'{name}'!A1")).set_text(name);
        sheet.write_with_format(at, 0, link, &styles::link())?;
        sheet.write_with_format(at, 1, title, &styles::paragraph().set_align(FormatAlign::VerticalCenter))?;
        sheet.set_row_height(at, LINE * text::wrap(title, 78).len() as f64 + 4.0)?;
    }
    Ok(sheet)
}

/// *Om statistiken*.
pub fn about(publication: &Publication) -> Result<Worksheet, XlsxError> {
    let mut sheet = Worksheet::new();
    set_up(&mut sheet, ABOUT, &publication.collection.title, false)?;
    sheet.set_column_width(0, TEXT_WIDTH as f64)?;
    sheet.write_with_format(0, 0, ABOUT, &styles::title())?;
    let mut at = 1;
    for section in sections(publication) {
        at += 1;
        sheet.write_with_format(at, 0, section.heading, &styles::heading())?;
        sheet.set_row_height(at, LINE + 3.0)?;
        at += 1;
        for paragraph in section.paragraphs {
            let lines = text::wrap(&paragraph, TEXT_CHARS).len();
            sheet.write_with_format(at, 0, paragraph, &styles::paragraph())?;
            sheet.set_row_height(at, LINE * lines as f64 + 2.0)?;
            at += 1;
        }
    }
    back_link(&mut sheet, at + 1)?;
    Ok(sheet)
}

/// A table; `at` is its index in the collection, `name` what it is called.
pub fn table(publication: &Publication, at: usize, name: &str) -> Result<Worksheet, XlsxError> {
    let spec = &publication.collection.tables[at];
    let grid = grid(publication, at);
    let widths = Widths::of(&grid);
    let title = format!("{name}. {}", spec.title);
    let mut sheet = Worksheet::new();
    set_up(&mut sheet, name, &title, true)?;
    for (at, width) in widths.stubs.iter().chain(&widths.columns).enumerate() {
        sheet.set_column_width(col(at), *width as f64)?;
    }
    sheet.write_with_format(0, 0, title, &styles::title())?.set_row_height(0, 20)?;
    let lines = text::wrap(&subtitle(publication, spec), widths.text());
    for (at, line) in lines.iter().enumerate() {
        sheet.write_with_format(row(at + 1), 0, line.as_str(), &styles::body())?;
    }
    let top = lines.len() + 2;
    header(&mut sheet, &grid, &widths, top)?;
    let data = top + grid.levels();
    for (at, content) in grid.rows.iter().enumerate() {
        data_row(&mut sheet, &grid, content, (data + at, at + 1 == grid.rows.len()))?;
    }
    sheet.set_freeze_panes(row(data), col(grid.stubs.len()))?;
    sheet.set_repeat_rows(row(top), row(data - 1))?;
    let notes = notes(publication, at);
    let under = notes.iter().flat_map(|note| text::wrap(note, widths.text()));
    let mut at = data + grid.rows.len() + 1;
    for line in under {
        sheet.write_with_format(row(at), 0, line, &styles::note())?;
        at += 1;
    }
    back_link(&mut sheet, row(at + 1))?;
    Ok(sheet)
}

fn back_link(sheet: &mut Worksheet, at: Line) -> Result<(), XlsxError> {
    let link = Url::new(format!("internal:'{CONTENTS}'!A1")).set_text("Till innehållet");
    sheet.write_with_format(at, 0, link, &styles::link())?;
    Ok(())
}

/// Whether column `at` begins a group at the header row `level`: its label, or one above it, is not its
/// neighbour's.
fn begins(grid: &Grid, level: usize, at: usize) -> bool {
    at == 0 || grid.columns[at].labels[..=level] != grid.columns[at - 1].labels[..=level]
}

/// Whether column `at` begins a group of columns that a line sets apart.
fn begins_group(grid: &Grid, at: usize) -> bool {
    let change = at > 0 && grid.columns[at].kind != grid.columns[at - 1].kind && grid.levels() == 1;
    change || grid.levels() > 1 && begins(grid, 0, at)
}

fn header(sheet: &mut Worksheet, grid: &Grid, widths: &Widths, top: usize) -> Result<(), XlsxError> {
    let levels = grid.levels();
    for level in 0..levels {
        let (first, last) = (level == 0, level + 1 == levels);
        let line = row(top + level);
        for (at, stub) in grid.stubs.iter().enumerate() {
            let format = styles::header(first, last, false).set_text_wrap();
            sheet.write_with_format(line, col(at), if last { stub.as_str() } else { "" }, &format)?;
        }
        for at in 0..grid.columns.len() {
            let own = styles::header(first, last, begins_group(grid, at));
            let place = col(grid.stubs.len() + at);
            if !begins(grid, level, at) {
                sheet.write_blank(line, place, &own)?;
                continue;
            }
            let label = grid.columns[at].labels[level].as_str();
            // a wrapped label would stay inside its own column; one over several columns must run on instead
            let alone = span(grid, level, at) == 1;
            let own = if alone { styles::over_figures(own) } else { styles::over_group(own) };
            sheet.write_with_format(line, place, label, &own)?;
        }
        sheet.set_row_height(line, LINE * widths.lines(grid, level) as f64 + 2.0)?;
    }
    Ok(())
}

/// How many columns the group that begins at `at` has at a header row.
fn span(grid: &Grid, level: usize, at: usize) -> usize {
    1 + (at + 1..grid.columns.len()).take_while(|next| !begins(grid, level, *next)).count()
}

/// Writes a row of the grid at a line of the sheet; the last one gets the closing line.
fn data_row(
    sheet: &mut Worksheet,
    grid: &Grid,
    content: &GridRow,
    at: (usize, bool),
) -> Result<(), XlsxError> {
    let (line, last) = (row(at.0), at.1);
    let own = styles::row(content.rank, last);
    for (at, label) in content.labels.iter().enumerate() {
        sheet.write_with_format(line, col(at), label.as_str(), &own)?;
    }
    for (at, cell) in content.cells.iter().enumerate() {
        let format = styles::figure(own.clone(), grid.columns[at].kind, *cell);
        let format =
            if content.revised[at] { styles::revised(format, grid.columns[at].kind) } else { format };
        let format = if begins_group(grid, at) { styles::left_line(format) } else { format };
        figure(sheet, (line, col(grid.stubs.len() + at)), *cell, &format)?;
    }
    sheet.set_row_height(line, LINE + 2.0)?;
    Ok(())
}

fn figure(
    sheet: &mut Worksheet,
    at: (Line, u16),
    figure: Option<Figure>,
    format: &Format,
) -> Result<(), XlsxError> {
    match figure {
        None => sheet.write_blank(at.0, at.1, format)?,
        // exact: counts are at most derived::MAX_COUNT
        Some(Figure::Value(value)) => sheet.write_number_with_format(at.0, at.1, value as f64, format)?,
        Some(marked) => sheet.write_with_format(at.0, at.1, marked.columns().1.mark(), format)?,
    };
    Ok(())
}

/// Column widths in characters.
struct Widths {
    stubs: Vec<usize>,
    columns: Vec<usize>,
}

impl Widths {
    fn of(grid: &Grid) -> Self {
        let chars = |text: &String| text.chars().count();
        let stub = |at: usize| {
            let labels = grid.rows.iter().map(|row| chars(&row.labels[at]));
            labels.chain([chars(&grid.stubs[at])]).max().unwrap_or(0).clamp(12, 48) + 2
        };
        let mut columns: Vec<usize> = grid.columns.iter().map(|column| narrowest(&column.labels)).collect();
        for level in 0..grid.levels() {
            for at in (0..columns.len()).filter(|at| begins(grid, level, *at)) {
                let span = span(grid, level, at);
                let each = (chars(&grid.columns[at].labels[level]) + 2).div_ceil(span);
                if span > 1 {
                    columns[at..at + span].iter_mut().for_each(|width| *width = each.max(*width));
                }
            }
        }
        Self { stubs: (0..grid.stubs.len()).map(stub).collect(), columns }
    }

    /// Width of the text above and under the table: as wide as the table, but no line too long to read.
    fn text(&self) -> usize {
        self.stubs.iter().chain(&self.columns).sum::<usize>().clamp(100, 130)
    }

    /// Lines that the labels of a header row need.
    fn lines(&self, grid: &Grid, level: usize) -> usize {
        let alone =
            (0..self.columns.len()).filter(|at| begins(grid, level, *at) && span(grid, level, *at) == 1);
        let lines = |at: usize| text::wrap(&grid.columns[at].labels[level], self.columns[at]).len();
        alone.map(lines).max().unwrap_or(1)
    }
}

/// Room for a figure and for the longest word of the labels, wrapped.
fn narrowest(labels: &[String]) -> usize {
    let words = labels.last().into_iter().flat_map(|label| label.split(' '));
    (words.map(|word| word.chars().count()).max().unwrap_or(0) + 3).max(9)
}
