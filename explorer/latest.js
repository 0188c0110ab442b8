// The latest blocks, as they are sealed: new ones appear above, older ones are asked for below.

import {get, on, pages} from './api.js';
import {button, h, more, replace, table, tableRow, tip} from './dom.js';
import {account, blockLink, count, cut, hash, number, outcome, time, validatorLink, whyCut} from './format.js';

const ROWS = 20;
const OLDER = 50;
// With older blocks below them.
const ROWS_MAX = 500;
const HEADINGS = ['#Height', 'Sealed', '#Transactions', '#Rejected', 'Cut', 'Proposer', 'Hash'];

export class LatestBlocks {
  #signal;
  #rows = null;
  #body = h('div.blocks');
  // What came while somebody pointed at a row, and the button that shows it.
  #held = [];
  #waiting;
  #isAsking = false;
  #isWanted = false;

  constructor(signal) {
    this.#signal = signal;
    const show = () => {
      this.#release();
      this.#rows?.querySelector('a')?.focus();
    };
    this.#waiting = button('.more.waiting-blocks', '', show, {hidden: true});
    // While somebody points at a row it stays where it is.
    const left = () => setTimeout(() => this.#isWatched() || this.#release(), 0);
    this.#body.addEventListener('pointerleave', left);
    this.#body.addEventListener('focusout', left);
    on('block', block => this.#take(block), signal);
    on('connection', isConnected => isConnected && this.begin(), signal);
  }

  section() {
    const heading = h('div.heading', h('h2', 'Latest blocks'), this.#waiting);
    return h('section', {'aria-label': 'Latest blocks'}, heading, this.#body);
  }

  get isEmpty() {
    return this.#rows === null;
  }

  async begin() {
    this.#isWanted = this.#isAsking;
    if (this.#isAsking) return;
    this.#isAsking = true;
    try {
      this.#draw((await get(`/v1/blocks?limit=${ROWS}`, this.#signal)).blocks);
    } catch (error) {
      if (error.name === 'AbortError') return;
      replace(this.#body, h('p.problem', `The blocks cannot be shown: ${error.message}`));
    } finally {
      this.#isAsking = false;
    }
    // What came meanwhile may not be in the answer.
    if (this.#isWanted) this.begin();
  }

  #draw(blocks) {
    if (blocks.length > 0) {
      const made = table('Latest blocks', HEADINGS, blocks.map(row), '.fixed');
      this.#rows = made.tBodies[0];
      replace(this.#body, made, this.#older(blocks.at(-1).height));
    } else if (this.#rows === null) {
      replace(this.#body, empty());
    }
    // A server that has just come back has read none yet: what is shown stays, and those to come are told of.
  }

  #older(height) {
    if (height === 0) return null;
    const page = pages('/v1/blocks', {limit: OLDER, cursor: height}, this.#signal);
    return more('Older blocks', async line => {
      // The table above is live: what is older stands below it, and stays.
      const {blocks, next} = await page();
      line.before(table('Older blocks', HEADINGS, blocks.map(row), '.fixed.continued'));
      return next;
    });
  }

  #isWatched() {
    return this.#rows !== null && (this.#rows.matches(':hover') || this.#rows.contains(document.activeElement));
  }

  #take(block) {
    if (!this.#isWatched()) {
      this.#put(block);
      return;
    }
    this.#held = [...this.#held, block].slice(-ROWS);
    this.#waiting.hidden = false;
    this.#waiting.textContent = `${count(this.#held.length, 'new block')}: show`;
  }

  #release() {
    this.#held.splice(0).forEach(block => this.#put(block));
    this.#waiting.hidden = true;
  }

  #put(block) {
    // An answer that is on its way may be older than this block, and takes the place of all rows.
    if (this.#isAsking) this.#isWanted = true;
    if (this.#rows === null) {
      this.begin();
      return;
    }
    if (this.#rows.querySelector(`[data-height="${block.height}"]`)) return;
    const {cells, attributes} = row(block);
    this.#rows.prepend(tableRow(HEADINGS, {cells, attributes: {...attributes, class: 'fresh'}}));
    // With older blocks below it, no row between may go.
    const most = this.#body.querySelector('.continued') ? ROWS_MAX : ROWS;
    while (this.#rows.children.length > most) this.#rows.lastElementChild.remove();
  }
}

function row(block) {
  const {height} = block;
  const slashed = block.slashed.map(who => outcome('slashed', `${who} cheated, and lost its stake`));
  const silent = block.missed.map(who => outcome('waiting', `${who} was silent in its turn`, 'silent'));
  const cells = [
    blockLink(height),
    time(block.sealed_ms),
    number(block.applied + block.rejected),
    number(block.rejected),
    h('span', tip(whyCut(block.cut)), cut(block.cut)),
    [maker(block), ...[...slashed, ...silent].map(mark => [' ', mark])],
    hash(block.hash, `/block/${height}`, true),
  ];
  return {attributes: {'data-height': height}, cells};
}

function maker(block) {
  if (block.proposer) return validatorLink(block.proposer);
  return block.miner ? account(block.miner) : '–';
}

function empty() {
  const command = 'echo \'{"from":"alice","to":"bob","amount":3}\' | cairn submit';
  return h('div.empty', h('p', 'No block yet. Send a transfer:'), h('pre', command));
}
