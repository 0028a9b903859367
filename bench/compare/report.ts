import { quantile } from '../measure.ts';

/** What was measured of one proxy under one workload. */
export interface Figures {
  readonly workload: string;
  readonly proxy: string;
  /** Microseconds of CPU for each request, a value for each round. */
  readonly cpu: readonly number[];
  /** Requests a second, the median of the rounds. */
  readonly perSecond: number | null;
  /** Milliseconds. */
  readonly latencies: { readonly p50: number; readonly p99: number; readonly p999: number } | null;
  /** In place of all that. */
  readonly kilobytes: number | null;
}

export interface Results {
  /** ISO 8601. */
  readonly date: string;
  readonly machine: string;
  readonly versions: Readonly<Record<string, string>>;
  readonly rounds: number;
  readonly figures: readonly Figures[];
}

const byWorkload = ({ figures }: Results): Map<string, readonly Figures[]> =>
  Map.groupBy(figures, ({ workload }) => workload);

/** What is compared, in its unit, and what it is to nginx's: round by round where there are rounds. */
function against(one: Figures, nginx: Figures | undefined): { value: number; ratio: string; share: number } {
  const value = one.kilobytes ?? quantile(one.cpu, 0.5);
  if (nginx === undefined) return { value, ratio: '', share: 1 };
  const ratios =
    one.kilobytes === null
      ? one.cpu.map((cpu, round) => cpu / nginx.cpu[round]!)
      : [value / nginx.kilobytes!];
  const [low, middle, high] = [0.25, 0.5, 0.75].map((share) => quantile(ratios, share)) as [
    number,
    number,
    number,
  ];
  const spread = ratios.length > 1 ? ` (${low.toFixed(2)} to ${high.toFixed(2)})` : '';
  return { value, ratio: `${middle.toFixed(2)}${spread}`, share: middle };
}

/** A table for each workload. */
export function writeMarkdown(results: Results): string {
  const lines = [
    '<!-- Written by `npm run bench`. -->',
    '',
    `${results.date}, ${results.machine}; ${Object.entries(results.versions)
      .map(([name, version]) => `${name} ${version}`)
      .join(', ')}. Medians of ${results.rounds} rounds; the ratio to nginx with its middle half.`,
    '',
  ];
  for (const [workload, figures] of byWorkload(results)) {
    const nginx = figures.find(({ proxy }) => proxy === 'nginx');
    const memory = figures[0]?.kilobytes !== null;
    lines.push(`**${workload}**`, '');
    lines.push(
      memory
        ? '| proxy | kB | of nginx |'
        : '| proxy | CPU µs per request | of nginx | requests/s | p50 ms | p99 ms | p99.9 ms |',
      memory ? '| --- | ---: | ---: |' : '| --- | ---: | ---: | ---: | ---: | ---: | ---: |',
    );
    for (const one of figures) {
      const { value, ratio } = against(one, nginx);
      const late = one.latencies;
      const times = late === null ? ['', '', ''] : [late.p50, late.p99, late.p999].map((ms) => ms.toFixed(2));
      const cells = [one.proxy, value.toFixed(1), ratio];
      if (!memory) cells.push(one.perSecond?.toFixed(0) ?? '', ...times);
      lines.push(`| ${cells.join(' | ')} |`);
    }
    lines.push('');
  }
  return `${lines.join('\n').trimEnd()}\n`;
}

const colours: Readonly<Record<string, string>> = {
  'mtls-ingress': '#1f6feb',
  'mtls-ingress, full lane': '#8bb6f5',
  nginx: '#6e7781',
  HAProxy: '#9aa2ab',
  Caddy: '#c2c8ce',
};

/** Bars of CPU (or memory) as shares of nginx's; a line marks nginx. */
export function writeSvg(results: Results): string {
  const [left, width, row, gap] = [250, 420, 16, 26];
  const most = 4;
  const parts: string[] = [];
  let y = 34;
  for (const [workload, figures] of byWorkload(results)) {
    const nginx = figures.find(({ proxy }) => proxy === 'nginx');
    parts.push(`<text x="10" y="${y}" class="title">${escape(workload)}</text>`);
    y += 8;
    for (const one of figures) {
      const { share, ratio } = against(one, nginx);
      const length = (Math.min(share, most) / most) * width;
      const colour = colours[one.proxy] ?? '#999';
      parts.push(
        `<text x="${left - 8}" y="${y + 12}" class="name">${escape(one.proxy)}</text>`,
        `<rect x="${left}" y="${y + 2}" width="${length.toFixed(1)}" height="${row - 4}" fill="${colour}"/>`,
        `<text x="${(left + length + 6).toFixed(1)}" y="${y + 12}" class="value">${ratio}</text>`,
      );
      y += row;
    }
    y += gap;
  }
  const nginxAt = left + width / most;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="820" height="${y}" viewBox="0 0 820 ${y}" role="img" aria-label="CPU of each proxy as a share of nginx's">
<style>text{font:12px system-ui,sans-serif;fill:#24292f}.title{font-weight:600}.name{text-anchor:end}.value{font-variant-numeric:tabular-nums}@media(prefers-color-scheme:dark){text{fill:#d0d7de}}</style>
<line x1="${nginxAt}" y1="24" x2="${nginxAt}" y2="${y - gap}" stroke="#8c959f" stroke-dasharray="3 3"/>
<text x="${nginxAt}" y="16" text-anchor="middle">nginx = 1</text>
${parts.join('\n')}
</svg>
`;
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
