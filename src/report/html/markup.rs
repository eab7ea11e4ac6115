//! HTML under construction. What is no literal of this program is escaped, by this file alone.

/// A page so far.
pub(super) struct Markup(String);

impl Markup {
    pub(super) fn new() -> Self {
        Self(String::new())
    }

    pub(super) fn into_text(self) -> String {
        self.0
    }

    /// Adds markup of this program.
    pub(super) fn raw(&mut self, html: &'static str) {
        self.0 += html;
    }

    /// Adds a comment, which has seen to it that nothing in it ends it.
    pub(super) fn comment(&mut self, comment: &str) {
        self.0 += comment;
    }

    /// Adds a drawing, which is escaped by those who draw.
    pub(super) fn drawing(&mut self, svg: &str) {
        self.0 += svg;
    }

    /// Opens an element.
    pub(super) fn open(&mut self, tag: &'static str, attributes: &[(&'static str, &str)]) {
        self.0.push('<');
        self.0 += tag;
        for (name, value) in attributes {
            self.0 += &format!(" {name}=\"{}\"", escaped(value));
        }
        self.0 += ">";
    }

    /// Closes an element.
    pub(super) fn close(&mut self, tag: &'static str) {
        self.0 += &format!("</{tag}>\n");
    }

    /// Adds words.
    pub(super) fn text(&mut self, words: &str) {
        self.0 += &escaped(words);
    }

    /// Adds an element with words in it.
    pub(super) fn element(
        &mut self,
        tag: &'static str,
        attributes: &[(&'static str, &str)],
        words: &str,
    ) {
        self.open(tag, attributes);
        self.text(words);
        self.close(tag);
    }
}

/// Returns words as HTML has them, in elements and in attributes.
pub(super) fn escaped(words: &str) -> String {
    let mut set = String::with_capacity(words.len());
    for character in words.chars() {
        match character {
            '&' => set += "&amp;",
            '<' => set += "&lt;",
            '>' => set += "&gt;",
            '"' => set += "&quot;",
            '\'' => set += "&#39;",
            '\n' | '\t' => set.push(character),
            control if control.is_control() => set.push(' '),
            plain => set.push(plain),
        }
    }
    set
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_end_neither_elements_nor_attributes() {
        let mut markup = Markup::new();
        markup.element("p", &[("title", "\"><script>")], "</p>'&\0");
        assert_eq!(
            markup.into_text(),
            "<p title=\"&quot;&gt;&lt;script&gt;\">&lt;/p&gt;&#39;&amp; </p>\n"
        );
    }
}
