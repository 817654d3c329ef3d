//! A table over as many pages as it takes, with its heads on each.

use crate::paper::{NORMAL, Paper, RIGHT, SMALL, Weight, line_height};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    Right,
}

pub(crate) struct Column {
    pub head: &'static str,
    pub x: f32,
    pub width: f32,
    pub align: Align,
}

pub(crate) struct Table<'a> {
    pub columns: &'a [Column],
}

/// What stands in a cell: in the normal size, and below it in the small one.
#[derive(Default)]
pub(crate) struct Cell {
    pub text: String,
    pub small: Vec<String>,
}

impl From<String> for Cell {
    fn from(text: String) -> Cell {
        Cell { text, small: Vec::new() }
    }
}

/// The most lines below the first text of a cell, so that a row fits on a page.
const SMALL_LINES_MAX: usize = 20;

impl Table<'_> {
    /// The heads of the columns, with a row's room below them.
    pub fn heads(&self, paper: &mut Paper) {
        paper.make_room(6.0 * line_height(NORMAL));
        let y = paper.y;
        for column in self.columns {
            self.line(paper, column, y, Weight::Bold, SMALL, column.head);
        }
        paper.y += line_height(SMALL) + 2.0;
        paper.rule(self.columns[0].x, RIGHT);
    }

    pub fn row(&self, paper: &mut Paper, cells: &[Cell]) {
        let texts = self.columns.iter().zip(cells).map(|(column, cell)| {
            let normal = paper.wrap(Weight::Regular, NORMAL, column.width, &cell.text);
            let small = cell.small.iter();
            let small =
                small.flat_map(|text| paper.wrap(Weight::Regular, SMALL, column.width, text));
            (normal, small.take(SMALL_LINES_MAX).collect::<Vec<String>>())
        });
        let texts: Vec<(Vec<String>, Vec<String>)> = texts.collect();
        let height_of = |(normal, small): &(Vec<String>, Vec<String>)| {
            normal.len() as f32 * line_height(NORMAL) + small.len() as f32 * line_height(SMALL)
        };
        let height = texts.iter().map(height_of).fold(line_height(NORMAL), f32::max) + 4.0;
        if !paper.has_room(height) {
            paper.new_page();
            self.heads(paper);
        }
        for (column, (normal, small)) in self.columns.iter().zip(&texts) {
            let mut y = paper.y;
            for (size, lines) in [(NORMAL, normal), (SMALL, small)] {
                for text in lines {
                    self.line(paper, column, y, Weight::Regular, size, text);
                    y += line_height(size);
                }
            }
        }
        paper.y += height;
    }

    fn line(&self, paper: &mut Paper, column: &Column, y: f32, w: Weight, size: f32, text: &str) {
        match column.align {
            Align::Left => paper.put(column.x, y, w, size, text),
            Align::Right => paper.put_right(column.x + column.width, y, w, size, text),
        }
    }
}
