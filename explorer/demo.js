// In the demo: send a transfer, have somebody cheat.

import {known, on, post} from './api.js';
import {button, h, panel, replace, said} from './dom.js';
import {number, offence, transactionLink} from './format.js';

// `validators`: () => those of now.
export function tryIt(validators, signal) {
  const isMined = known.status.parameters.consensus === 'work';
  return panel('Try it', transferForm(), isMined ? null : cheating(validators, signal));
}

function transferForm() {
  const told = said();
  const send = h('button', {type: 'submit'}, 'Send');
  const submit = async event => {
    event.preventDefault();
    send.disabled = true;
    told.textContent = '';
    const {from, to, amount} = Object.fromEntries(new FormData(event.target));
    try {
      const {partition, offset} = await post('/v1/transfers', {from, to, amount: Number(amount)});
      replace(told, 'Sent: it stands at ', transactionLink(partition, offset), '. A block will say what became of it.');
    } catch (error) {
      told.textContent = `Not sent: ${error.message}`;
    }
    send.disabled = false;
  };
  const field = (label, attributes) =>
    h('label', label, h('input', {required: true, autocomplete: 'off', spellcheck: 'false', ...attributes}));
  const whole = {type: 'number', min: 0, max: Number.MAX_SAFE_INTEGER, step: 1, inputmode: 'numeric'};
  return h(
    'form.form',
    {onsubmit: submit},
    field('From', {name: 'from', value: 'alice', maxlength: 128}),
    field('To', {name: 'to', value: 'bob', maxlength: 128}),
    field('Amount', {name: 'amount', value: 5, ...whole}),
    send,
    told,
  );
}

function cheating(validators, signal) {
  const told = said();
  const cheat = async () => {
    // The others have to hold more than two thirds of what is left.
    const caught = validators().filter(one => one.status === 'active' && one.share < 1 / 3);
    const next = caught.sort((a, b) => b.stake - a.stake)[0];
    if (!next) {
      told.textContent = 'No validator is left that could be caught: the others would be too few.';
      return;
    }
    try {
      await post('/v1/cheats', {validator: next.id});
      told.textContent = `${next.id} will alter an amount in its next turn. Watch: the others will not sign.`;
    } catch (error) {
      told.textContent = error.message;
    }
  };
  const tell = found => {
    const lost = `Its stake of ${number(found.amount)} is burnt.`;
    told.textContent = `${found.validator} was caught: ${offence(found.offence)}. ${lost}`;
  };
  on('slash', tell, signal);
  return [button('.danger', 'Have a validator cheat', cheat), told];
}
