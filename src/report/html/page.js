"use strict";
document.documentElement.classList.add("js");

// The number that an entry begins with, or NaN: "−4.4", "+1.2", "44.1 ± 4.2", "< 0.001".
const number = (text) => parseFloat(text.replace(/−/g, "-").replace(/^[\s<+[]+/, ""));

// Rows of a plain table; a trial is a body of two rows that stay together.
const units = (table) =>
  table.classList.contains("trials") ? [...table.tBodies] : [...table.tBodies[0].rows];

const entry = (unit, at) => (unit.rows ? unit.rows[0] : unit).cells[at].textContent.trim();

const order = (at, sign) => (a, b) => {
  const [left, right] = [entry(a, at), entry(b, at)];
  const [x, y] = [number(left), number(right)];
  if (!Number.isNaN(x) && !Number.isNaN(y)) return sign * (x - y);
  // What is no number comes last, whichever way numbers go.
  if (Number.isNaN(x) !== Number.isNaN(y)) return Number.isNaN(x) ? 1 : -1;
  return sign * left.localeCompare(right);
};

const sort = (table, head, at) => {
  const down = head.getAttribute("aria-sort") !== "descending";
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", down ? "descending" : "ascending");
  const sorted = units(table).sort(order(at, down ? -1 : 1));
  for (const unit of sorted) unit.parentNode.append(unit);
};

for (const table of document.querySelectorAll("table.sortable")) {
  [...table.tHead.rows[0].cells].forEach((head, at) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => sort(table, head, at));
  });
}

const show = (trial, shown) => {
  const [line, sheet] = trial.rows;
  sheet.hidden = !shown;
  sheet.querySelector("details").open = true;
  line.cells[0].firstChild.setAttribute("aria-expanded", String(shown));
};

const trials = [...document.querySelectorAll(".trial")];
for (const trial of trials) {
  const [line, sheet] = trial.rows;
  const button = document.createElement("button");
  button.type = "button";
  button.append(...line.cells[0].childNodes);
  line.cells[0].append(button);
  show(trial, false);
  line.addEventListener("click", () => show(trial, sheet.hidden));
}

const find = document.createElement("input");
find.type = "search";
find.placeholder = "setting, seed or state";
find.addEventListener("input", () => {
  const words = find.value.toLowerCase().split(/\s+/);
  for (const trial of trials) {
    const text = trial.rows[0].textContent.toLowerCase();
    trial.hidden = !words.every((word) => text.includes(word));
  }
});
const label = document.createElement("label");
label.className = "find";
label.append("Find trials", find);
document.querySelector("#trials h2").after(label);

const open = () => {
  const trial = trials.find((trial) => `#${trial.id}` === location.hash);
  if (trial) {
    show(trial, true);
    trial.scrollIntoView();
  }
};
addEventListener("hashchange", open);
open();
