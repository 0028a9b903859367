import { createHash } from 'node:crypto';
import type { WholeAnswer } from '../answer.ts';
import { certificates } from './certificates.ts';
import { clients } from './clients.ts';
import { denials } from './denials.ts';
import type { PageFacts } from './facts.ts';
import { html, Html } from './html.ts';
import { script } from './script.ts';
import { head, hosts, program, reloads } from './sections.ts';
import { style } from './style.ts';
import { traffic } from './traffic.ts';
import { upstreams } from './upstreams.ts';

/** Every part of the page that lives, by its id. */
export const sections: Readonly<Record<string, (facts: PageFacts) => Html>> = {
  head,
  traffic,
  denials,
  hosts,
  upstreams,
  certificates,
  clients,
  reloads,
  program,
};

const links = [
  ['traffic', 'Traffic'],
  ['denials', 'Denials'],
  ['hosts', 'Hosts'],
  ['upstreams', 'Upstreams'],
  ['certificates', 'Certificates'],
  ['clients', 'Clients'],
  ['reloads', 'Reloads'],
  ['program', 'Program'],
] as const;

const digest = (text: string): string => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;

/** Nothing but this page's own style and script, by their hashes; it talks to its own listener, and is in no frame. */
const policy = [
  "default-src 'none'",
  `script-src ${digest(script)}`,
  `style-src ${digest(style)}`,
  "connect-src 'self'",
  'img-src data:',
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const icon =
  'data:image/svg+xml,%3Csvg xmlns=%22http://www.w3.org/2000/svg%22 viewBox=%220 0 16 16%22%3E%3Cpath fill=%22%230f6b66%22 d=%22M8 1l6 2v5c0 4-3 6-6 7-3-1-6-3-6-7V3z%22/%3E%3C/svg%3E';

/** The status page as it is now: whole without a script, which only keeps it up to date. */
export function statusPage(facts: PageFacts): WholeAnswer {
  const at = (id: string): Html => sections[id]!(facts);
  const page = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>mtls-ingress</title>
        <link rel="icon" href="${icon}" />
        ${new Html(`<style>${style}</style>`)}
      </head>
      <body>
        <a class="skip" href="#traffic">To the traffic</a>
        <header class="top">
          <div class="wrap">
            <h1>mtls-ingress</h1>
            ${at('head')}<span id="live" class="live" role="status">not live</span>
          </div>
        </header>
        <nav aria-label="Sections">
          <div class="wrap">
            <ul>
              ${links.map(([id, name]) => html`<li><a href="#${id}">${name}</a></li>`)}
            </ul>
          </div>
        </nav>
        <main class="wrap">
          ${at('traffic')}
          <div class="column">${at('denials')}${at('hosts')}</div>
          <div class="column">
            ${at('upstreams')}${at('certificates')}${at('clients')}${at('reloads')}${at('program')}
          </div>
        </main>
        <footer class="wrap">
          Times are UTC. The same as text: <a href="metrics">/metrics</a>, <a href="status">/status</a>.
        </footer>
        ${new Html(`<script>${script}</script>`)}
      </body>
    </html> `;
  return {
    status: 200,
    type: 'text/html; charset=utf-8',
    body: page.text,
    headers: { 'content-security-policy': policy },
  };
}
