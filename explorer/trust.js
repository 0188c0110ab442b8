// What is pinned, and how to pin something else; a proof from a file.

import { known } from './api.js';
import { fact, h, replace } from './dom.js';
import { exact, hash, number, visible } from './format.js';
import { forget, parsePin, pin, pinned } from './pin.js';
import { checkFile, pinFirst } from './proving.js';

export const nav = 'trust';

export function show(root, { signal, title }) {
  title('Trust');
  const now = h('section', { 'aria-label': 'What is pinned', id: 'pinned' });
  const draw = () => replace(now, current());
  draw();
  addEventListener('pinned', draw, { signal });
  replace(root, h('h1', 'Trust'),
    h('p', 'A page shows what its server says. Each block, transaction and account here has a button that fetches a proof and computes it in this browser, down to something that you trust already: what you pin on this page. It is kept in this browser.'),
    now, form(), first(), h('section', h('h2', 'A proof from a file'), h('p', 'What ', h('code', 'cairn prove'), ' wrote is checked in the same way, and is not sent anywhere.'), fromFile(signal)));
}

function current() {
  const own = pinned();
  if (own === null) return [h('h2', 'Pinned now'), h('p.empty', { 'data-pin': 'none' }, 'Nothing. No proof can be led to anything yet.')];
  const { checkpoint } = own;
  const isOther = known.status !== null && known.status.genesis !== own.genesis;
  return [h('h2', 'Pinned now'),
    isOther ? h('p.problem', 'This server shows another chain than the one you pinned. All that it proves will be broken.') : null,
    h('dl.facts', { 'data-pin': checkpoint === null ? 'genesis' : own.source },
      fact('What', checkpoint === null ? 'the genesis hash alone' : `a checkpoint of ${number(checkpoint.size)} blocks, up to block ${number(checkpoint.size - 1n)}`),
      fact('Whose word it is', own.source === 'first-use' ? 'this server’s, taken on first use: what was false before, nothing here can notice' : 'yours: you gave it'),
      fact('Genesis hash', hash(own.genesis)),
      checkpoint === null ? null : fact('Root over the blocks’ hashes', h('span.mono', own.text.split('\n')[2])),
      checkpoint !== null && checkpoint.signers.length > 0 ? fact('Signatures under it', `${checkpoint.signers.map(visible).join(', ')}: not verified here; `, h('code', 'cairn check --policy'), ' does') : null,
      fact('Pinned', exact(own.atMs))),
    checkpoint === null ? h('p.quiet', 'The genesis alone asks for the validators’ seals, and these are BLS signatures, which no browser can check: proofs will be open in that. A checkpoint needs no seal.') : null,
    h('p', h('button.danger', { type: 'button', id: 'pin-forget', onclick: forget }, 'Forget it'))];
}

function form() {
  const status = h('p.said', { role: 'status', id: 'pin-said' });
  const box = h('textarea', { id: 'pin-text', rows: 5, spellcheck: 'false', autocomplete: 'off', 'aria-describedby': 'pin-hint' });
  const save = (event) => {
    event.preventDefault();
    try {
      const { checkpoint } = parsePin(box.value);
      if (!pin(box.value, 'given')) throw new Error('this browser keeps nothing for this page');
      status.textContent = `Pinned ${checkpoint === null ? 'the genesis hash' : `a checkpoint of ${number(checkpoint.size)} blocks`}.`;
      box.value = '';
    } catch (error) {
      status.textContent = `Not pinned: ${error.message}.`;
    }
  };
  return h('section', h('h2', 'Pin what you have from elsewhere'),
    h('form.pin-form', { id: 'pin-form', onsubmit: save },
      h('label', { for: 'pin-text' }, 'A checkpoint (three lines, or a note with signatures under them), or the chain’s genesis hash'), box,
      h('p.quiet', { id: 'pin-hint' }, h('code', 'cairn checkpoint --genesis-hash HASH'), ' reads the topics, verifies the chain and writes one. It covers the blocks before it, and all that they say of balances.'),
      h('button', { type: 'submit', id: 'pin-save' }, 'Pin it'), status));
}

function first() {
  const status = h('p.said', { role: 'status' });
  const button = h('button', { type: 'button', id: 'pin-first-use', onclick: async () => {
    button.disabled = true;
    if (await pinFirst(status)) status.textContent = 'Pinned.';
    button.disabled = false;
  } }, 'Pin what this server shows now');
  return h('section', h('h2', 'Or trust on first use'),
    h('p', 'This browser takes the history that the server shows at this moment as the true one, unseen. What was false before then, it will never notice. What is altered of it from then on, it will: a block replaced, a payment taken back, another chain in its place.'), button, status);
}

function fromFile(signal) {
  const result = h('div', { id: 'verify-result', 'data-verdict': '' });
  const input = h('input', { type: 'file', id: 'proof-file', accept: '.json,application/json', onchange: async () => {
    const [file] = input.files;
    if (file !== undefined) await checkFile(file, result, signal);
  } });
  return [h('label.file', h('span', 'Proof'), input), result];
}
