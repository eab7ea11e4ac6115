//! Pages of long lists. Pure.

use std::ops::Range;

/// A page of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Paging {
    /// From 1.
    pub(super) page: usize,
    /// At least 1.
    pub(super) pages: usize,
    /// Things on a full page.
    size: usize,
    /// Things in all.
    pub(super) total: usize,
}

impl Paging {
    /// Returns the page that was asked for, or the last one where there are fewer: a list may have
    /// become shorter since its address was kept.
    pub(super) fn of(asked: usize, size: usize, total: usize) -> Self {
        let pages = total.div_ceil(size).max(1);
        Self { page: asked.clamp(1, pages), pages, size, total }
    }

    /// Returns the places of the things on it.
    pub(super) fn range(self) -> Range<usize> {
        let start = (self.page - 1) * self.size;
        start..(start + self.size).min(self.total)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_thing_is_on_one_page() {
        let all: Vec<usize> = (1..=3).flat_map(|page| Paging::of(page, 4, 10).range()).collect();
        assert_eq!(all, (0..10).collect::<Vec<_>>());
        assert_eq!(Paging::of(1, 4, 8).pages, 2);
    }

    #[test]
    fn an_address_of_a_page_that_is_gone_leads_to_the_last_one() {
        assert_eq!(Paging::of(9, 4, 10).range(), 8..10);
        assert_eq!(Paging::of(0, 4, 10).range(), 0..4);
        assert_eq!(Paging::of(7, 4, 0), Paging { page: 1, pages: 1, size: 4, total: 0 });
        assert_eq!(Paging::of(7, 4, 0).range(), 0..0);
        assert_eq!(Paging::of(usize::MAX, 4, 10).page, 3);
    }
}
