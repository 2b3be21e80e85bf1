//! Label tables: CSV files with a header line, read row by row.

use std::fs::File;
use std::path::{Path, PathBuf};

use csv::{ByteRecord, Reader, ReaderBuilder};

use super::{MAX_ITEMS, ReadError};

/// Largest label table that is read; the largest published one in use here has about 120 MB.
const MAX_TABLE_BYTES: u64 = 512 << 20;

/// Longest header line or cell that is accepted.
const MAX_CELL_BYTES: usize = 4096;

/// A CSV file and its columns.
pub struct Table {
    /// The file.
    pub path: PathBuf,
    columns: Vec<String>,
    plain: Vec<String>,
    reader: Reader<File>,
    rows: usize,
}

/// One row of a table.
pub struct TableRow {
    cells: ByteRecord,
    /// Line in the file, from 1.
    pub line: u64,
}

impl TableRow {
    /// The cell of a column, trimmed; empty when the row is shorter.
    pub fn cell(&self, column: usize) -> std::borrow::Cow<'_, str> {
        let bytes = self.cells.get(column).unwrap_or_default();
        match String::from_utf8_lossy(&bytes[..bytes.len().min(MAX_CELL_BYTES)]) {
            std::borrow::Cow::Borrowed(text) => text.trim().into(),
            std::borrow::Cow::Owned(text) => text.trim().to_owned().into(),
        }
    }

    /// A cell as a finite number; `None` when it is empty, and a description when it is something else.
    pub fn number(&self, column: usize) -> Result<Option<f32>, String> {
        let cell = self.cell(column);
        if cell.is_empty() {
            return Ok(None);
        }
        match cell.parse::<f32>() {
            Ok(value) if value.is_finite() => Ok(Some(value)),
            _ => Err(format!("\"{}\" is not a number", cell.chars().take(40).collect::<String>())),
        }
    }

    /// A label that must be 0 or 1; an empty cell is 0.
    pub fn zero_or_one(&self, column: usize) -> Result<f32, String> {
        match self.number(column)? {
            None => Ok(0.0),
            Some(value) if value == 0.0 || value == 1.0 => Ok(value),
            Some(value) => Err(format!("a label is {value} and should be 0 or 1")),
        }
    }
}

impl Table {
    /// Opens a table and reads its header line.
    pub fn open(path: &Path) -> Result<Self, ReadError> {
        let file = File::open(path).map_err(|error| ReadError::io(path, &error))?;
        let entry = file.metadata().map_err(|error| ReadError::io(path, &error))?;
        if !entry.is_file() {
            return Err(ReadError::new(path, "is not a file", "point to the label table"));
        }
        if entry.len() > MAX_TABLE_BYTES {
            return Err(ReadError::new(path, "is larger than any label table", "point to the label table"));
        }
        let mut reader = ReaderBuilder::new().flexible(true).from_reader(file);
        let header = reader.byte_headers().map_err(|error| bad(path, &error))?;
        if header.as_slice().len() > MAX_CELL_BYTES * 16 {
            return Err(ReadError::new(
                path,
                "its first line is far too long",
                "point to a CSV file with a header line",
            ));
        }
        let columns: Vec<String> = header
            .iter()
            .map(|name| String::from_utf8_lossy(name).trim_start_matches('\u{feff}').trim().to_owned())
            .collect();
        let plain = columns.iter().map(|name| plain(name)).collect();
        Ok(Self { path: path.to_path_buf(), columns, plain, reader, rows: 0 })
    }

    /// The columns' names, as written.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The position of a column under any of its names; case, spaces, hyphens and underscores do not matter.
    pub fn column(&self, names: &[&str]) -> Option<usize> {
        names.iter().find_map(|name| self.plain.iter().position(|column| *column == plain(name)))
    }

    /// As [`Table::column`], for a column that must be there.
    pub fn need(&self, names: &[&str]) -> Result<usize, ReadError> {
        self.column(names).ok_or_else(|| {
            let problem = format!("has no column \"{}\"", names.first().unwrap_or(&""));
            ReadError::new(&self.path, problem, "check that it is the label table of this format")
        })
    }

    /// The next row; `None` at the end.
    pub fn next_row(&mut self) -> Result<Option<TableRow>, ReadError> {
        let mut cells = ByteRecord::new();
        if !self.reader.read_byte_record(&mut cells).map_err(|error| bad(&self.path, &error))? {
            return Ok(None);
        }
        self.rows += 1;
        if self.rows > MAX_ITEMS {
            return Err(ReadError::new(&self.path, format!("has more than {MAX_ITEMS} rows"), "split it"));
        }
        let line = cells.position().map_or(0, csv::Position::line);
        Ok(Some(TableRow { cells, line }))
    }

    /// An error at a row of this table.
    pub fn at(&self, row: &TableRow, problem: impl std::fmt::Display) -> ReadError {
        ReadError::new(&self.path, format!("line {}: {problem}", row.line), "correct that line")
    }
}

fn bad(path: &Path, error: &csv::Error) -> ReadError {
    ReadError::new(path, format!("is not a readable table ({error})"), "point to a CSV file with a header line")
}

fn plain(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}
