// Keeps a page up to date. Whatever it does, the page shows without it too, once it is loaded again.
'use strict';

// The token comes behind the #, which no server sees, and goes into no history.
const KEPT = 'byol-sweep-token';
const given = /^#token=([0-9a-f]+)$/.exec(location.hash);
if (given) {
  sessionStorage.setItem(KEPT, given[1]);
  history.replaceState(null, '', location.pathname + location.search);
}
const token = () => sessionStorage.getItem(KEPT) || '';
const bearer = () => ({ Authorization: 'Bearer ' + token() });

// Makes `old` say what `now` says and keeps its elements where they are, so that what has the focus
// keeps it and what did not change is not drawn again. Nothing moves by itself: a colour that fades
// over half a second is drawn thirty times, by each who watches.
function morph(old, now) {
  if (old.isEqualNode(now)) return;
  if (old.nodeType !== Node.ELEMENT_NODE || old.nodeName !== now.nodeName || old.id !== now.id) {
    old.replaceWith(now.cloneNode(true));
    return;
  }
  for (const { name } of [...old.attributes]) if (!now.hasAttribute(name)) old.removeAttribute(name);
  for (const { name, value } of now.attributes) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  const [ours, theirs] = [[...old.childNodes], [...now.childNodes]];
  const known = new Map(ours.filter((node) => node.id).map((node) => [node.id, node]));
  let at = old.firstChild;
  for (const their of theirs) {
    let our = known.get(their.id) || at;
    if (our && our.id && our.id !== their.id) our = null;
    if (!our) {
      old.insertBefore(their.cloneNode(true), at);
      continue;
    }
    if (our !== at) old.insertBefore(our, at);
    at = our.nextSibling;
    morph(our, their);
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}

// The page is asked for again when something changed: at once, and then as seldom as making it
// costs the server, or drawing it costs this machine.
let wait = 400;
const LONGEST = 10_000;
// A tab that nobody sees is not painted before somebody does.
const painted = () => new Promise((after) => {
  const done = () => {
    document.removeEventListener('visibilitychange', done);
    after();
  };
  document.addEventListener('visibilitychange', done);
  requestAnimationFrame(() => setTimeout(done));
});
let asked = false;
let busy = false;
async function refresh() {
  if (busy || document.hidden) {
    asked = true;
    return;
  }
  [busy, asked] = [true, false];
  try {
    const answer = await fetch(location.href, { cache: 'no-store' });
    const toldWait = Number(answer.headers.get('x-wait'));
    const text = await answer.text();
    const begun = performance.now();
    const page = new DOMParser().parseFromString(text, 'text/html');
    for (const old of document.querySelectorAll('[data-live]')) {
      const now = page.getElementById(old.id);
      if (now) morph(old, now);
    }
    for (const old of document.querySelectorAll('[data-swap]')) {
      const now = page.getElementById(old.id);
      if (now && now.dataset.swap !== old.dataset.swap) old.replaceWith(now);
    }
    if (!document.getElementById('logs') && page.getElementById('logs')) {
      document.getElementById('attempts').after(page.getElementById('logs'));
    }
    for (const log of document.querySelectorAll('[data-follow]')) {
      const now = page.querySelector(`[data-log="${log.dataset.log}"]`);
      if (now && !('follow' in now.dataset)) log.dataset.last = '';
    }
    await painted();
    wait = Math.max(toldWait, Math.min(5 * (performance.now() - begun), LONGEST));
  } catch {
    // The stream of events tells whether the server is gone.
  }
  setTimeout(() => {
    busy = false;
    if (asked) refresh();
  }, wait);
}

// Logs go on where they were left.
async function follow() {
  for (const log of document.querySelectorAll('[data-follow]')) {
    const last = 'last' in log.dataset;
    try {
      const answer = await fetch(`${log.dataset.log}?from=${log.dataset.next}`, { cache: 'no-store' });
      if (!answer.ok) continue;
      const text = await answer.text();
      const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 8;
      if (Number(answer.headers.get('x-next')) < Number(log.dataset.next)) log.textContent = '';
      log.append(text);
      log.normalize();
      log.dataset.next = answer.headers.get('x-next');
      if (atEnd) log.scrollTop = log.scrollHeight;
      if (last && !text) delete log.dataset.follow;
    } catch {
      return;
    }
  }
}

// A tab that nobody sees holds no connection: browsers have six for all tabs of a server.
const pulse = document.getElementById('pulse');
let events = null;
function say(word, lost) {
  pulse.hidden = false;
  pulse.textContent = word;
  pulse.classList.toggle('lost', lost);
}
function listen() {
  if (document.hidden) {
    if (events) events.close();
    events = null;
    return;
  }
  if (events) return;
  events = new EventSource('/events');
  events.onopen = () => {
    say('live', false);
    refresh();
  };
  events.addEventListener('change', refresh);
  events.onerror = () => say('not live: the server does not answer', true);
}

if (document.querySelector('[data-live]')) {
  listen();
  document.addEventListener('visibilitychange', listen);
  setInterval(() => document.hidden || follow(), 1000);
  for (const log of document.querySelectorAll('[data-log]')) log.scrollTop = log.scrollHeight;
}

// The token opens the door of a server that the network sees.
async function enter(told) {
  const answer = await fetch('/login', { method: 'POST', headers: { Authorization: 'Bearer ' + told } });
  if (!answer.ok) return false;
  sessionStorage.setItem(KEPT, told);
  location.reload();
  return true;
}
const door = document.getElementById('door');
if (door) {
  const said = document.getElementById('door-said');
  const wrong = () => { said.textContent = 'That is not the token of this start.'; };
  door.addEventListener('submit', async (event) => {
    event.preventDefault();
    if (!(await enter(document.getElementById('token').value.trim()))) wrong();
  });
  if (token()) enter(token()).then((entered) => entered || wrong());
}

// What acts is asked first: the server says in words what it would do and with how many trials.
document.documentElement.classList.add('script');
const ask = document.getElementById('ask');
async function question(address) {
  const answer = await fetch(address, { cache: 'no-store' });
  const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
  const form = page.querySelector('form[data-act]');
  if (!form) return;
  ask.replaceChildren(form);
  if (!token()) {
    tell('Acting needs the token: open the link that `byol-sweep serve` printed.');
    form.querySelector('[type=submit]').disabled = true;
  }
  ask.showModal();
}
const tell = (words) => { document.getElementById('ask-said').textContent = words; };
document.addEventListener('click', (event) => {
  const button = event.target.closest('[data-ask], [data-close]');
  if (!button) return;
  if ('close' in button.dataset) ask.close();
  else question(button.dataset.ask);
});
ask.addEventListener('submit', async (event) => {
  event.preventDefault();
  const form = event.target;
  const { act, verb, where, trial, count } = form.dataset;
  const submit = form.querySelector('[type=submit]');
  submit.disabled = true;
  tell('…');
  try {
    const answer = await fetch(act, {
      method: 'POST',
      headers: { ...bearer(), 'Content-Type': 'application/json' },
      body: JSON.stringify({ verb, where, trial, count: Number(count) }),
    });
    const text = await answer.text();
    if (answer.ok) {
      submit.remove();
      tell(text);
      form.querySelector('[data-close]').textContent = 'Close';
      form.querySelector('[data-close]').focus();
      refresh();
    } else {
      const refusal = new DOMParser().parseFromString(text, 'text/html').querySelector('.notice');
      tell(refusal ? [...refusal.querySelectorAll('h1, p:not(:last-child)')].map((part) => part.textContent).join(': ') : text);
    }
  } catch {
    tell('The server does not answer.');
  }
});

// Meters change without anything being written.
const every = document.querySelector('[data-every]');
if (every) setInterval(refresh, Number(every.dataset.every));

// Arrows walk through the grid; a slash goes to the filter.
document.addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const field = document.getElementById('where');
  if (event.key === '/' && field && !/^(INPUT|TEXTAREA)$/.test(document.activeElement.nodeName)) {
    event.preventDefault();
    field.focus();
    return;
  }
  const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
  const cell = document.activeElement.closest('.grid td');
  if (!step || !cell) return;
  const rows = [...cell.closest('tbody').rows];
  const row = rows[rows.indexOf(cell.parentNode) + step[0]];
  const next = row && row.cells[cell.cellIndex + step[1]];
  const link = next && next.querySelector('a');
  if (!link) return;
  event.preventDefault();
  link.focus();
});
