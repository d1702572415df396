# The image of all roles: docker build [--platform linux/arm64] [--build-arg BASE=...] -t nv-ipam:0.1.0 .

# What the executable is put upon. It brings its libraries along, so nothing is needed.
ARG BASE=scratch

# Node.js 20 or later; the executable needs its glibc or a later one. It is built on x64 for other architectures as well.
FROM --platform=linux/amd64 debian:13-slim AS build
ARG TARGETARCH=amd64
WORKDIR /src
RUN if [ "$TARGETARCH" != amd64 ]; then dpkg --add-architecture "$TARGETARCH"; fi \
  && apt-get update \
  && apt-get install --yes --no-install-recommends binutils ca-certificates git nodejs npm \
  && if [ "$TARGETARCH" != amd64 ]; then apt-get install --yes --no-install-recommends "libstdc++6:$TARGETARCH"; fi
COPY . .
RUN arch=$(echo "$TARGETARCH" | sed s/amd64/x64/) \
  && scripts/build --arch "$arch" \
  && scripts/image --arch "$arch" /image

# As root, for the node daemon writes what belongs to the host's root; the controller's manifest names another user.
FROM ${BASE}
COPY --from=build /image/ /
ENTRYPOINT ["/nv-ipam"]
