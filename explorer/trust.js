// What is pinned, and how to pin something else; a proof from a file.

import {known} from './api.js';
import {button, fact, h, mono, quiet, replace, said, section} from './dom.js';
import {exact, hash, number, visible} from './format.js';
import {forget, parsePin, pin, pinned} from './pin.js';
import {FIRST_USE, checkFile, genesisAlone, pinButton} from './proving.js';

const ABOUT =
  'A page shows what its server says. Each block, transaction and account here has a button that proves it in this ' +
  'browser, down to something that you trust already: what you pin on this page. It is kept in this browser.';
const SOURCES = {
  'first-use': 'this server’s, taken on first use: what was false before, nothing here can notice',
  given: 'yours: you gave it',
};

export function show(root, {signal, title}) {
  title('Trust');
  const now = h('section', {'aria-label': 'What is pinned'});
  const draw = () => replace(now, h('h2', 'Pinned now'), current(pinned()));
  draw();
  addEventListener('pinned', draw, {signal});
  replace(root, h('h1', 'Trust'), h('p', ABOUT), now, form(), first(), fromFile(signal));
}

function current(own) {
  if (own === null) return h('p.empty', {'data-pin': 'none'}, 'Nothing. No proof can be led to anything yet.');
  const {checkpoint, genesis, source} = own;
  const isOther = known.status !== null && known.status.genesis !== genesis;
  const other = 'This server shows another chain than the one you pinned. All that it proves will be broken.';
  return [
    isOther ? h('p.problem', other) : null,
    h(
      'dl.facts',
      {'data-pin': checkpoint === null ? 'genesis' : source},
      fact('What', checkpoint ? what(checkpoint) : 'the genesis hash alone'),
      fact('Whose word it is', SOURCES[source]),
      fact('Genesis hash', hash(genesis)),
      checkpoint && fact('Root over the blocks’ hashes', mono(own.text.split('\n')[2])),
      checkpoint?.signers.length > 0 ? signatures(checkpoint.signers) : null,
      fact('Pinned', exact(own.atMs)),
    ),
    checkpoint === null ? genesisAlone() : null,
    h('p', button('.danger', 'Forget it', forget)),
  ];
}

const what = ({size}) => `a checkpoint of ${number(size)} blocks, up to block ${number(size - 1n)}`;

function signatures(signers) {
  const names = `${signers.map(visible).join(', ')}: not verified here; `;
  return fact('Signatures under it', names, h('code', 'cairn check --policy'), ' does');
}

function form() {
  const status = said();
  const box = h('textarea', {id: 'pin-text', rows: 5, spellcheck: 'false', 'aria-describedby': 'pin-hint'});
  const save = event => {
    event.preventDefault();
    try {
      const {checkpoint} = parsePin(box.value);
      if (!pin(box.value, 'given')) throw new Error('this browser keeps nothing for this page');
      status.textContent = `Pinned ${checkpoint ? what(checkpoint) : 'the genesis hash'}.`;
      box.value = '';
    } catch (error) {
      status.textContent = `Not pinned: ${error.message}.`;
    }
  };
  const label = 'A checkpoint (three lines, or a note with signatures under them), or the chain’s genesis hash';
  const hint =
    ' reads the topics, verifies the chain and writes one. ' +
    'It covers the blocks before it, and all that they say of balances.';
  return section(
    'Pin what you have from elsewhere',
    h(
      'form',
      {id: 'pin-form', onsubmit: save},
      h('label', {for: 'pin-text'}, label),
      box,
      quiet({id: 'pin-hint'}, h('code', 'cairn checkpoint --genesis-hash HASH'), hint),
      h('button', {type: 'submit', id: 'pin-save'}, 'Pin it'),
      status,
    ),
  );
}

function first() {
  return section('Or trust on first use', h('p', FIRST_USE), pinButton('Pinned.'));
}

function fromFile(signal) {
  const result = h('div', {id: 'verify-result', 'data-verdict': ''});
  const check = async ({target}) => {
    const [file] = target.files;
    if (file !== undefined) await checkFile(file, result, signal);
  };
  const input = h('input', {type: 'file', accept: '.json,application/json', onchange: check});
  const how = h('p', 'What ', h('code', 'cairn prove'), ' wrote is checked in the same way, and is not sent anywhere.');
  return section('A proof from a file', how, h('label', 'Proof', input), result);
}
