import type { ResponseHandler, UpstreamFailure } from '../upstream/outbound.ts';
import type { Exchange } from './exchange.ts';

/** What comes back from the upstream, as calls on the exchange; with cookies of our own on the response. */
export function relay(exchange: Exchange, cookies: () => readonly string[] = () => []): ResponseHandler {
  return {
    onInformation: (status, headers) => exchange.inform(status, headers),
    onResponse: (status, headers) => {
      exchange.addCookies(cookies());
      exchange.start(status, headers);
    },
    onData: (chunk) => exchange.write(chunk),
    onEnd: () => exchange.end(),
    onError: (failure: UpstreamFailure) => exchange.fail(failure.reason, failure.detail),
  };
}
