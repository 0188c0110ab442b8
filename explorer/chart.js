// Drawings: each says in words what it shows.

import { h, svg } from './dom.js';
import { balance, number, percent } from './format.js';

// Columns for counts over time; the last one is still growing.
export function sparkline(values, label) {
  const width = 150;
  const height = 28;
  const most = Math.max(1, ...values);
  const step = width / values.length;
  const bars = values.map((value, place) => {
    const tall = value === 0 ? 0 : Math.max(1, (value / most) * height);
    return svg('rect', { x: (place * step).toFixed(2), y: (height - tall).toFixed(2), width: (step - 1).toFixed(2), height: tall.toFixed(2), class: place === values.length - 1 ? 'now' : null });
  });
  return svg('svg.sparkline', { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: 'none', role: 'img', 'aria-label': label }, bars, svg('line', { x1: 0, x2: width, y1: height - 0.5, y2: height - 0.5 }));
}

// One bar, shared by stake. Patterns of lightness, not of hue: names stand beside it.
export function stakeBar(validators, signers) {
  const total = validators.reduce((sum, one) => sum + one.stake, 0) || 1;
  let x = 0;
  const parts = validators.filter((one) => one.stake > 0).map((one, place) => {
    const width = (one.stake / total) * 1000;
    const signs = !signers || signers.has(one.id);
    const part = svg('g', svg('title', `${one.id}: ${number(one.stake)}, ${percent(one.stake / total)}${signers ? (signs ? ', signed' : ', did not sign') : ''}`), svg('rect', { x: x.toFixed(1), y: 0, width: Math.max(1, width - 4).toFixed(1), height: 16, rx: 2, class: `shade shade-${place % 5} ${signs ? '' : 'absent'}` }));
    x += width;
    return part;
  });
  const words = validators.map((one) => `${one.id} ${percent(one.stake / total)}`).join(', ');
  return svg('svg.stake-bar', { viewBox: '0 0 1000 16', preserveAspectRatio: 'none', role: 'img', 'aria-label': `Stake: ${words}` }, parts);
}

// The seal: a ring of validators by stake. Who signed is filled, who proposed has a mark outside.
export function sealRing(validators, signers, proposer) {
  const total = validators.reduce((sum, one) => sum + one.stake, 0) || 1;
  const point = (turn, radius) => [80 + radius * Math.sin(turn * 2 * Math.PI), 80 - radius * Math.cos(turn * 2 * Math.PI)].map((at) => at.toFixed(2)).join(' ');
  const gap = 0.006;
  let from = 0;
  const parts = [];
  for (const one of validators.filter((other) => other.stake > 0)) {
    const share = one.stake / total;
    const [start, end] = [from + gap, from + share - gap];
    const large = end - start > 0.5 ? 1 : 0;
    const shape = `M ${point(start, 66)} A 66 66 0 ${large} 1 ${point(end, 66)} L ${point(end, 46)} A 46 46 0 ${large} 0 ${point(start, 46)} Z`;
    const signed = signers.has(one.id);
    parts.push(svg('path', { d: shape, class: signed ? 'signed' : 'unsigned' }, svg('title', `${one.id}: ${percent(share)}, ${signed ? 'signed' : 'did not sign'}`)));
    if (one.id === proposer) {
      const middle = (start + end) / 2;
      const [cx, cy] = point(middle, 74).split(' ');
      parts.push(svg('circle.mark', { cx, cy, r: 4 }, svg('title', `${one.id} proposed`)));
    }
    from += share;
  }
  const signing = validators.filter((one) => signers.has(one.id)).reduce((sum, one) => sum + one.stake, 0);
  const label = `${percent(signing / total)} of the stake signed; ${proposer ?? 'nobody'} proposed`;
  return svg('svg.ring', { viewBox: '0 0 160 160', role: 'img', 'aria-label': label }, parts, svg('text.large', { x: 80, y: 78 }, percent(signing / total)), svg('text', { x: 80, y: 96 }, 'signed'));
}

// A balance as it was from height to height. points: [{ height, balance }], ascending.
export function steps(points, label) {
  // As wide as it will be, so that its texts are as large as all others.
  const width = Math.min(960, Math.max(300, document.getElementById('main').clientWidth - 64));
  const [height, left, bottom, top] = [200, 8, 22, 18];
  const first = points[0].height;
  const last = points[points.length - 1].height;
  const values = points.map((point) => point.balance);
  let low = Math.min(...values);
  let high = Math.max(...values);
  if (low === high) [low, high] = [low - 1, high + 1];
  if (low > 0 && low < (high - low)) low = 0;
  const x = (at) => left + ((at - first) / Math.max(1, last - first)) * (width - 2 * left);
  const y = (value) => top + ((high - value) / (high - low)) * (height - bottom - top);
  let line = `M ${x(first).toFixed(1)} ${y(values[0]).toFixed(1)}`;
  for (const point of points.slice(1)) line += ` H ${x(point.height).toFixed(1)} V ${y(point.balance).toFixed(1)}`;
  line += ` H ${x(last).toFixed(1)}`;
  const area = `${line} V ${y(low).toFixed(1)} H ${x(first).toFixed(1)} Z`;
  const rule = (value) => [
    svg('line.rule', { x1: left, x2: width - left, y1: y(value).toFixed(1), y2: y(value).toFixed(1) }),
    svg('text', { x: left, y: (y(value) - 4).toFixed(1) }, balance(value)),
  ];
  const marker = svg('g.marker', { visibility: 'hidden' }, svg('line', { y1: top, y2: height - bottom }), svg('circle', { r: 4 }));
  const plot = svg('svg.steps', { viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': label, tabindex: 0 },
    rule(Math.max(...values)), Math.min(...values) === Math.max(...values) ? [] : rule(Math.min(...values)),
    svg('path.area', { d: area }), svg('path.line', { d: line }), marker,
    svg('text', { x: left, y: height - 6 }, `block ${number(first)}`),
    svg('text.end', { x: width - left, y: height - 6 }, `block ${number(last)}`));
  const said = h('p.reading', { 'aria-live': 'polite' }, 'Point at the line, or use the arrow keys on it.');
  let at = points.length - 1;
  const show = (place) => {
    at = Math.min(points.length - 1, Math.max(0, place));
    const point = points[at];
    marker.setAttribute('visibility', 'visible');
    marker.setAttribute('transform', `translate(${x(point.height).toFixed(1)} 0)`);
    marker.querySelector('circle').setAttribute('cy', y(point.balance).toFixed(1));
    said.textContent = `Block ${number(point.height)}: ${balance(point.balance)}`;
  };
  plot.addEventListener('pointermove', (event) => {
    const box = plot.getBoundingClientRect();
    const target = first + ((event.clientX - box.left) / box.width) * (last - first);
    let near = 0;
    points.forEach((point, place) => {
      if (point.height <= target) near = place;
    });
    show(near);
  });
  plot.addEventListener('keydown', (event) => {
    const move = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: points.length - 1 }[event.key];
    if (move === undefined) return;
    event.preventDefault();
    show(move);
  });
  return h('figure.plot', plot, said);
}
