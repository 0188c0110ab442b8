// Drawings: each says in words what it shows.

import {byId, h, svg} from './dom.js';
import {number, percent} from './format.js';

const round = value => Number(value.toFixed(1));

export const stakeOf = validators => validators.reduce((sum, one) => sum + one.stake, 0);

// Columns for counts over time; the last one is still growing.
export function sparkline(values, label) {
  const [width, height] = [150, 28];
  const most = Math.max(1, ...values);
  const step = width / values.length;
  const bars = values.map((value, place) => {
    const tall = value === 0 ? 0 : Math.max(1, round((value / most) * height));
    const box = {x: round(place * step), y: height - tall, width: round(step - 1), height: tall};
    return svg('rect', {...box, class: place === values.length - 1 ? 'now' : null});
  });
  const base = svg('line', {x1: 0, x2: width, y1: height - 0.5, y2: height - 0.5});
  return image('svg.sparkline', [width, height], label, {preserveAspectRatio: 'none'}, bars, base);
}

function image(kind, [width, height], label, attributes, ...parts) {
  return svg(kind, {viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': label, ...attributes}, parts);
}

// One bar, shared by stake. Patterns of lightness, not of hue: names stand beside it.
export function stakeBar(validators) {
  const [width, height] = [1000, 16];
  const total = stakeOf(validators) || 1;
  const words = validators.map(one => `${one.id} ${percent(one.stake / total)}`).join(', ');
  let x = 0;
  const part = ({id, stake}, place) => {
    const share = (stake / total) * width;
    const box = {x: round(x), width: round(Math.max(1, share - 4)), height, rx: 2};
    x += share;
    const title = svg('title', `${id}: ${number(stake)}, ${percent(stake / total)}`);
    return svg('g', title, svg(`rect.shade.shade-${place % 5}`, box));
  };
  const parts = validators.filter(one => one.stake > 0).map(part);
  return image('svg.stake-bar', [width, height], `Stake: ${words}`, {preserveAspectRatio: 'none'}, parts);
}

// The seal: a ring of validators by stake. Who signed is filled, who proposed has a mark outside.
export function sealRing(validators, signers, proposer) {
  const total = stakeOf(validators) || 1;
  const gap = 0.006;
  let from = 0;
  const parts = validators
    .filter(one => one.stake > 0)
    .map(({id, stake}) => {
      const share = stake / total;
      const [start, end] = [from + gap, from + share - gap];
      from += share;
      const kind = signers.has(id) ? 'signed' : 'unsigned';
      const title = svg('title', `${id}: ${percent(share)}, ${kind === 'signed' ? 'signed' : 'did not sign'}`);
      return [svg(`path.${kind}`, {d: arc(start, end)}, title), id === proposer ? mark((start + end) / 2, id) : null];
    });
  const signing = percent(stakeOf(validators.filter(one => signers.has(one.id))) / total);
  const label = `${signing} of the stake signed; ${proposer ?? 'nobody'} proposed`;
  const words = [svg('text.large', {x: 80, y: 78}, signing), svg('text', {x: 80, y: 96}, 'signed')];
  return image('svg.ring', [160, 160], label, {}, parts, words);
}

// A point of the ring: how far around, in turns, and how far out.
function around(turn, radius) {
  const angle = turn * 2 * Math.PI;
  return [80 + radius * Math.sin(angle), 80 - radius * Math.cos(angle)].map(at => at.toFixed(2));
}

function arc(start, end) {
  const large = end - start > 0.5 ? 1 : 0;
  const outer = `M ${around(start, 66)} A 66 66 0 ${large} 1 ${around(end, 66)}`;
  return `${outer} L ${around(end, 46)} A 46 46 0 ${large} 0 ${around(start, 46)} Z`;
}

function mark(turn, id) {
  const [cx, cy] = around(turn, 74);
  return svg('circle.mark', {cx, cy, r: 4}, svg('title', `${id} proposed`));
}

// ---- A balance from block to block

const [HEIGHT, TOP, RIGHT, BOTTOM] = [200, 12, 8, 24];

// points: [{ height, balance }], ascending.
export function steps(points, label) {
  // As wide as it will be, so that its texts are as large as all others.
  const width = Math.min(960, Math.max(300, byId('main').clientWidth - 64));
  const [first, last] = [points[0].height, points.at(-1).height];
  const {left, bounds, bottom, x, y, heightAt} = scales(points, width);
  const rest = points.slice(1).map(point => `H ${x(point.height)} V ${y(point.balance)}`);
  const line = `M ${x(first)} ${y(points[0].balance)} ${rest.join(' ')} H ${x(last)}`;
  const rule = value => [
    svg('line.rule', {x1: left, x2: width - RIGHT, y1: y(value), y2: y(value)}),
    svg('text.end', {x: left - 8, y: y(value) + 4}, number(value)),
  ];
  const point = svg('circle', {r: 4});
  const marker = svg('g.marker', {visibility: 'hidden'}, svg('line', {y1: TOP, y2: HEIGHT - BOTTOM}), point);
  const plot = image('svg.steps', [width, HEIGHT], label, {tabindex: 0}, [
    bounds.map(rule),
    svg('path.area', {d: `${line} V ${bottom} H ${x(first)} Z`}),
    svg('path.line', {d: line}),
    marker,
    svg('text', {x: left, y: HEIGHT - 6}, `block ${number(first)}`),
    svg('text.end', {x: width - RIGHT, y: HEIGHT - 6}, `block ${number(last)}`),
  ]);
  const reading = h('p.reading', {'aria-live': 'polite'}, 'Point at the line, or use the arrow keys on it.');
  const show = ({height, balance}) => {
    marker.removeAttribute('visibility');
    marker.setAttribute('transform', `translate(${x(height)} 0)`);
    point.setAttribute('cy', y(balance));
    reading.textContent = `Block ${number(height)}: ${number(balance)}`;
  };
  followed(plot, points, heightAt, show);
  return h('figure.plot', plot, reading);
}

// Where a height and a balance are drawn, and which height is at a part of the width.
function scales(points, width) {
  const [first, last] = [points[0].height, points.at(-1).height];
  const values = points.map(point => point.balance);
  let [low, high] = [Math.min(...values), Math.max(...values)];
  const bounds = [...new Set([high, low])];
  // As wide as the longer of the two numbers that stand beside the drawing.
  const left = 8 + 7 * Math.max(...bounds.map(value => number(value).length));
  if (low === high) [low, high] = [low - 1, high + 1];
  if (low > 0 && low < high - low) low = 0;
  const step = (width - left - RIGHT) / Math.max(1, last - first);
  const x = height => round(left + (height - first) * step);
  const heightAt = part => first + (part * width - left) / step;
  const y = value => round(TOP + ((high - value) / (high - low)) * (HEIGHT - BOTTOM - TOP));
  return {left, bounds, bottom: y(low), x, y, heightAt};
}

// Has `show` told which point somebody points at, or walks to with the keyboard.
function followed(plot, points, heightAt, show) {
  const end = points.length - 1;
  let at = end;
  const go = place => {
    at = Math.min(end, Math.max(0, place));
    show(points[at]);
  };
  const point = event => {
    const box = plot.getBoundingClientRect();
    const target = heightAt((event.clientX - box.left) / box.width);
    go(points.findLastIndex(({height}) => height <= target));
  };
  const press = event => {
    const place = {ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: end}[event.key];
    if (place === undefined) return;
    event.preventDefault();
    go(place);
  };
  plot.addEventListener('pointermove', point);
  plot.addEventListener('keydown', press);
}
