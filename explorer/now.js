// What is happening: the last blocks as they are sealed, who seals them, who cheated.

import { get, known, on, post } from './api.js';
import { sparkline, stakeBar } from './chart.js';
import { failed, h, more, replace, say, table, tableRow } from './dom.js';
import { account, blockLink, count, cut, duration, hash, nowMs, number, offence, outcome, percent, time, transactionLink, validatorLink, whyCut } from './format.js';

export const nav = 'now';

const ROWS = 20;
const COLUMNS = [
  { title: 'Height', class: 'number' },
  { title: 'Sealed' },
  { title: 'Transactions', class: 'number' },
  { title: 'Rejected', class: 'number' },
  { title: 'Cut' },
  { title: 'Proposer' },
  { title: 'Hash' },
];

function blockRow(block, isNew) {
  const marks = [
    ...block.slashed.map((who) => h('span.outcome.slashed', { 'data-tip': `${who} cheated, and lost its stake`, tabindex: 0 }, 'slashed')),
    ...block.missed.map((who) => h('span.outcome.waiting', { 'data-tip': `${who} was silent in its turn`, tabindex: 0 }, 'silent')),
  ];
  return {
    attributes: { class: isNew ? 'fresh' : null, 'data-height': block.height },
    cells: [
      blockLink(block.height),
      time(block.sealed_ms),
      number(block.applied + block.rejected),
      number(block.rejected),
      h('span', { 'data-tip': whyCut(block.cut), tabindex: 0 }, cut(block.cut)),
      [maker(block), ...marks.map((mark) => [' ', mark])],
      hash(block.hash, `/block/${block.height}`, true),
    ],
  };
}

function maker(block) {
  if (block.proposer) return validatorLink(block.proposer);
  return block.miner ? account(block.miner) : '–';
}

export function show(root, { signal, title, go }) {
  title('Now');
  const figures = h('dl.figures');
  const body = h('div.blocks');
  const waiting = h('button.more.waiting-blocks', { type: 'button', hidden: true });
  const stakes = h('div.panel', h('h2', 'Validators'), h('p.quiet', 'Loading…'));
  const offences = h('div.panel', h('h2', 'Last offences'), h('p.quiet', 'Loading…'));
  const demo = h('div');
  replace(root, h('h1.hidden', 'Now'), figures,
    h('div.columns',
      h('section.wide-column', { 'aria-label': 'Latest blocks' }, h('div.heading', h('h2', 'Latest blocks'), waiting), body),
      h('aside', demo, stakes, offences)));

  const held = [];
  let rows = null;
  const isWatched = () => rows !== null && (rows.matches(':hover') || rows.contains(document.activeElement));
  const put = (block) => {
    // An answer that is on its way may be older than this block, and takes the place of all rows.
    if (isAsking) isWanted = true;
    if (rows === null) return begin();
    if (rows.querySelector(`[data-height="${block.height}"]`)) return null;
    rows.prepend(tableRow(COLUMNS, blockRow(block, true)));
    // With older blocks below it, no row between may go.
    const most = body.querySelector('.continued') ? 500 : ROWS;
    while (rows.children.length > most) rows.lastElementChild.remove();
    return null;
  };
  const release = () => {
    held.splice(0).forEach(put);
    waiting.hidden = true;
  };
  waiting.addEventListener('click', () => {
    release();
    rows?.querySelector('a')?.focus();
  });
  // While somebody points at a row it stays where it is.
  body.addEventListener('pointerleave', () => setTimeout(() => isWatched() || release(), 0));
  body.addEventListener('focusout', () => setTimeout(() => isWatched() || release(), 0));

  let isAsking = false;
  let isWanted = false;
  async function begin() {
    isWanted = isAsking;
    if (isAsking) return;
    isAsking = true;
    try {
      const { blocks } = await get(`/v1/blocks?limit=${ROWS}`, signal);
      if (blocks.length === 0) {
        // A server that has just come back has read none yet: what is shown stays, and those to come are told of.
        if (rows === null) replace(body, empty());
      } else {
        const made = table('Latest blocks', COLUMNS, blocks.map((block) => blockRow(block, false)));
        made.classList.add('cards', 'fixed');
        rows = made.tBodies[0];
        replace(body, made, older(blocks[blocks.length - 1].height, body, signal));
      }
    } catch (error) {
      if (error.name !== 'AbortError') replace(body, h('p.problem', `The blocks cannot be shown: ${error.message}`));
    } finally {
      isAsking = false;
    }
    // What came meanwhile may not be in the answer.
    if (isWanted) begin();
  }

  let newest = null;
  on('block', (block) => {
    newest = block;
    if (!isWatched()) {
      put(block);
      return;
    }
    held.push(block);
    held.splice(0, Math.max(0, held.length - ROWS));
    waiting.hidden = false;
    waiting.textContent = `${count(held.length, 'new block')}: show`;
  }, signal);
  on('slash', (found) => {
    say(`${found.validator} cheated: ${offence(found.offence)}. It loses its stake of ${number(found.amount)}.`);
    who();
    caught();
  }, signal);
  on('connection', (isConnected) => isConnected && begin(), signal);

  const draw = () => {
    const status = known.status;
    if (status === null) return;
    if (rows === null && status.last) begin();
    const last = newest !== null && newest.height > (status.last?.height ?? -1) ? newest : status.last;
    drawFigures(figures, status, last, stakeOf(last));
    if (status.takes_transfers && demo.childElementCount === 0) demo.append(transfers(go, () => validators, signal));
  };
  on('status', draw, signal);
  on('block', draw, signal);
  // The age of the last block goes on where no block comes.
  const timer = setInterval(() => {
    const age = figures.querySelector('[data-sealed]');
    if (age) age.textContent = ageText(Number(age.dataset.sealed));
  }, 1000);
  signal.addEventListener('abort', () => clearInterval(timer));

  let validators = null;
  const stakeOf = (last) => {
    if (validators === null || !last || last.signers.length === 0) return null;
    const all = validators.validators;
    const total = all.reduce((sum, one) => sum + one.stake, 0);
    return total === 0 ? null : last.signers.reduce((sum, place) => sum + (all[place]?.stake ?? 0), 0) / total;
  };
  async function who() {
    try {
      validators = await get('/v1/validators', signal);
      if (validators.validators.length === 0) {
        replace(stakes, h('h2', 'Validators'), h('p.quiet', 'None: the blocks of this chain are mined.'));
        return;
      }
      const list = validators.validators.map((one, place) => h('li',
        h('span', { class: `swatch shade shade-${validators.validators.slice(0, place).filter((before) => before.stake > 0).length % 5} ${one.stake === 0 ? 'none' : ''}`, 'aria-hidden': true }),
        validatorLink(one.id),
        h('span.number', one.status === 'slashed' ? outcome('slashed') : percent(one.share))));
      replace(stakes, h('h2', 'Validators by stake'), stakeBar(validators.validators), h('ul.legend', list));
      draw();
    } catch (error) {
      failed(stakes, error, h('h2', 'Validators'));
    }
  }
  async function caught() {
    try {
      const found = (await get('/v1/offences', signal)).offences;
      replace(offences, h('h2', 'Last offences'), found.length === 0
        ? h('p.quiet', 'None: no validator cheated in the blocks that this server has read.')
        : h('ul.offences', found.slice(0, 5).map((one) => h('li', outcome('slashed'), ' ',
          validatorLink(one.validator), ` in `, blockLink(one.height, `block ${number(one.height)}`), ': ', offence(one.offence), `; its stake of ${number(one.amount)} is burnt. `, time(one.sealed_ms)))));
    } catch (error) {
      failed(offences, error, h('h2', 'Last offences'));
    }
  }
  draw();
  begin();
  who();
  caught();
}

function ageText(sealedMs) {
  const age = nowMs() - sealedMs;
  return age < 1000 ? 'under 1 s' : duration(Math.floor(age / 1000) * 1000);
}

function drawFigures(figures, status, last, signing) {
  const { activity } = status;
  // The interval that goes on, and the whole one before it, if there was anything.
  const [before, current] = activity.transactions.slice(-2);
  const currentMs = Math.max(1000, status.now_ms % activity.interval_ms);
  const perSecond = ((before + current) * 1000) / (before > 0 ? currentMs + activity.interval_ms : currentMs);
  const rate = perSecond >= 10 ? number(perSecond) : perSecond.toFixed(1);
  const figure = (label, value, more, tip) => h('div.figure', h('dt', tip ? { 'data-tip': tip, tabindex: 0 } : null, label), h('dd', value, more));
  const isStale = last && nowMs() - last.sealed_ms > 10000;
  replace(figures,
    figure('Height', h('span.large', last ? h('a', { href: `/block/${last.height}` }, number(last.height)) : '–'), null),
    figure('Transactions per second', h('span.large', rate), sparkline(activity.transactions, `Transactions in the last five minutes, in steps of ten seconds: ${activity.transactions.join(', ')}`), 'In blocks of the last ten to twenty seconds; the columns are the last five minutes'),
    figure('Age of the last block', last ? h('span', { class: `large ${isStale ? 'stale-figure' : ''}`, 'data-sealed': last.sealed_ms }, ageText(last.sealed_ms)) : h('span.large', '–'), isStale ? h('span.note', 'no newer block') : null),
    figure(`Rejected, last ${number(Math.max(1, activity.recent))}`, h('span.large', number(activity.recent_rejected)), activity.recent > 0 ? h('span.note', percent(activity.recent_rejected / activity.recent)) : null),
    status.parameters.consensus === 'work' ? null : figure('Stake that signs', h('span.large', signing === null ? '–' : percent(signing)), h('span.note', 'over 66.7 % needed'), 'Of the last block'));
}

function older(height, body, signal) {
  if (height === 0) return null;
  let cursor = String(height);
  return more('Older blocks', async (line) => {
    // The table above is live: what is older stands below it, and stays.
    const { blocks, next } = await get(`/v1/blocks?limit=50&cursor=${cursor}`, signal);
    const made = table('Older blocks', COLUMNS, blocks.map((block) => blockRow(block, false)));
    made.classList.add('cards', 'fixed', 'continued');
    body.insertBefore(made, line);
    cursor = next;
    return next;
  });
}

function empty() {
  return h('div.empty', h('p', 'No block yet. Send a transfer:'), h('pre', 'echo \'{"from":"alice","to":"bob","amount":3}\' | cairn submit'));
}

// In the demo: send a transfer, have somebody cheat.
function transfers(go, current, signal) {
  const field = (label, attributes) => h('label', label, h('input', { required: true, autocomplete: 'off', spellcheck: 'false', ...attributes }));
  const said = h('p.said', { role: 'status' });
  const send = h('button', { type: 'submit' }, 'Send');
  const form = h('form.form', field('From', { name: 'from', value: 'alice', maxlength: 128 }), field('To', { name: 'to', value: 'bob', maxlength: 128 }),
    field('Amount', { name: 'amount', type: 'number', min: 0, max: 9007199254740991, step: 1, value: 5, inputmode: 'numeric' }), send, said);
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    send.disabled = true;
    said.textContent = '';
    const values = new FormData(form);
    try {
      const place = await post('/v1/transfers', { from: values.get('from'), to: values.get('to'), amount: Number(values.get('amount')) });
      replace(said, 'Sent: it stands at ', transactionLink(place.partition, place.offset), '. A block will say what became of it.');
    } catch (error) {
      said.textContent = `Not sent: ${error.message}`;
    }
    send.disabled = false;
  });
  const cheat = h('button.danger', { type: 'button' }, 'Have a validator cheat');
  const told = h('p.said', { role: 'status' });
  cheat.addEventListener('click', async () => {
    const honest = (current()?.validators ?? []).filter((one) => one.status === 'active');
    // The others have to hold more than two thirds of what is left.
    const next = honest.filter((one) => one.share < 1 / 3).sort((a, b) => b.stake - a.stake)[0];
    if (!next) {
      told.textContent = 'No validator is left that could be caught: the others would be too few.';
      return;
    }
    cheat.disabled = true;
    try {
      await post('/v1/cheats', { validator: next.id });
      told.textContent = `${next.id} will alter an amount in its next turn. Watch: the others will not sign.`;
    } catch (error) {
      told.textContent = error.message;
    }
    cheat.disabled = false;
  });
  on('slash', (found) => {
    told.textContent = `${found.validator} was caught: ${offence(found.offence)}. Its stake of ${number(found.amount)} is burnt.`;
  }, signal);
  return h('div.panel.demo', h('h2', 'Try it'), form, known.status?.parameters.consensus === 'work' ? null : [cheat, told]);
}
