# The same steps run outside Docker in .ci/image, which CI smoke-tests.

FROM node:26.10-slim AS build
WORKDIR /build
# The image has its Node already: the ones among the optional dependencies stay out.
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=optional
COPY tsconfig.json tsconfig.build.json ./
COPY src src
RUN npm run build

FROM node:26.10-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --omit=optional --ignore-scripts

FROM node:26.10-slim
ENV NODE_ENV=production
WORKDIR /app
COPY package.json LICENSE ./
COPY bin bin
COPY config config
COPY --from=dependencies /app/node_modules node_modules
COPY --from=build /build/dist dist
# Not root, and nothing it could change: configuration and secrets are mounted.
USER 65532:65532
EXPOSE 8443 8080 9090 8444
STOPSIGNAL SIGTERM
# The flags of bin/node-flags.json: a tenth of a request's CPU, a third of a handshake's.
ENTRYPOINT ["node", "--min-semi-space-size=16", "--no-parallel-scavenge", "--no-memory-reducer", "/app/bin/mtls-ingress"]
CMD ["serve", "--config", "/etc/mtls-ingress/config.yaml"]
