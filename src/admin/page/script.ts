/**
 * What the page runs: it takes each section that has changed and brings the one that is shown into line with it, node by
 * node, so that focus, selection and what was unfolded stay. The HTML is ours, with all values escaped (html.ts), and the
 * policy of the page runs no script but this one.
 */
export const script = `'use strict';
(() => {
  const live = document.getElementById('live');
  const say = (state, text) => { live.dataset.state = state; if (live.textContent !== text) live.textContent = text; };
  const same = (a, b) => a.nodeType === b.nodeType && a.nodeName === b.nodeName && (a.id ?? '') === (b.id ?? '');
  const morph = (from, to) => {
    if (from.nodeType !== Node.ELEMENT_NODE) {
      if (from.nodeValue !== to.nodeValue) from.nodeValue = to.nodeValue;
      return;
    }
    const kept = from.nodeName === 'DETAILS' ? ['open'] : [];
    for (const { name } of [...from.attributes]) if (!to.hasAttribute(name) && !kept.includes(name)) from.removeAttribute(name);
    for (const { name, value } of to.attributes) {
      if (from.getAttribute(name) !== value && !kept.includes(name)) from.setAttribute(name, value);
    }
    if (from.hasAttribute('data-own')) return;
    let at = from.firstChild;
    for (const wanted of [...to.childNodes]) {
      let found = at;
      if (wanted.id) while (found !== null && !same(found, wanted)) found = found.nextSibling;
      if (found !== null && same(found, wanted)) {
        while (at !== found) { const next = at.nextSibling; at.remove(); at = next; }
        at = found.nextSibling;
        morph(found, wanted);
      } else from.insertBefore(wanted, at);
    }
    while (at !== null) { const next = at.nextSibling; at.remove(); at = next; }
  };
  const source = new EventSource('events');
  source.addEventListener('open', () => say('on', 'live'));
  source.addEventListener('error', () => say('off', 'not connected, trying again'));
  source.addEventListener('section', (event) => {
    const { id, html } = JSON.parse(event.data);
    const shown = document.getElementById(id);
    const template = document.createElement('template');
    template.innerHTML = html;
    const wanted = template.content.firstElementChild;
    if (shown !== null && wanted !== null) morph(shown, wanted);
  });
  document.addEventListener('click', async (event) => {
    const button = event.target.closest('button[data-explain]');
    if (button === null) return;
    const out = button.nextElementSibling;
    button.disabled = true;
    try {
      const pem = button.parentElement.querySelector('textarea')?.value.trim();
      const body = JSON.stringify({ ...JSON.parse(button.dataset.explain), ...(pem ? { certificate: pem } : {}) });
      const answer = await fetch('explain?format=text', { method: 'POST', headers: { 'content-type': 'application/json' }, body });
      out.textContent = await answer.text();
    } catch (error) {
      out.textContent = String(error);
    }
    out.hidden = false;
    button.disabled = false;
  });
})();
`;
