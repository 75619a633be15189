// Shows the values under the pointer. What is drawn tells them: a path's places are turned back into values.
const digits = value => value === 0 ? '0' : Math.abs(value) >= 100 ? Math.round(value).toLocaleString('en') : value.toPrecision(3);
const micros = us => us < 1e3 ? digits(us) + ' µs' : us < 1e6 ? digits(us / 1e3) + ' ms' : digits(us / 1e6) + ' s';
const bytes = size => { let n = 0; while (size >= 1024 && n < 3) { size /= 1024; n += 1; } return digits(size) + ' ' + ['B', 'KiB', 'MiB', 'GiB'][n]; };
const moment = s => [s / 3600, s / 60 % 60, s % 60].map(Math.floor).join(':').replace(/^0:/, '').replace(/:(\d)(?!\d)/g, ':0$1');
const percent = nines => (100 - 100 / 10 ** nines).toFixed(Math.max(0, Math.ceil(nines))) + ' %';
for (const plot of document.querySelectorAll('.plot')) {
  const area = plot.querySelector('.area');
  const axis = text => { const [min, max, scale] = text.split(' '); return scale === 'log' ? place => min * (max / min) ** place : place => +min + (max - min) * place; };
  const x = axis(plot.dataset.x), y = axis(plot.dataset.y), unit = plot.dataset.unit;
  const shown = value => unit === 'us' ? micros(value) : unit === 'bytes' ? bytes(value) : digits(value) + ' ' + unit;
  const lines = [...plot.querySelectorAll('.line')].map(path => ({
    name: path.dataset.name,
    points: (path.getAttribute('d').match(/[\d.]+ [\d.]+/g) ?? []).map(pair => pair.split(' ').map(part => part / 1000)),
  }));
  const all = lines.flatMap(line => line.points.map(point => point[0]));
  const cursor = document.createElement('div'), box = document.createElement('div');
  cursor.className = 'cursor';
  cursor.append(box);
  area.addEventListener('pointerleave', () => cursor.remove());
  area.addEventListener('pointermove', event => {
    const sides = area.getBoundingClientRect(), at = (event.clientX - sides.left) / sides.width;
    const nearest = all.reduce((best, place) => Math.abs(place - at) < Math.abs(best - at) ? place : best, 9);
    if (nearest > 1) return;
    const here = lines.flatMap(({ name, points }) => points.filter(point => point[0] === nearest).slice(0, 1).map(point => name + '  ' + shown(y(1 - point[1]))));
    box.textContent = [plot.dataset.form === 'nines' ? percent(x(nearest)) : moment(Math.round(x(nearest) * 10) / 10), ...here].join('\n');
    cursor.style.left = nearest * 100 + '%';
    cursor.classList.toggle('left', nearest > 0.55);
    area.append(cursor);
  });
}
