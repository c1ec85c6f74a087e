# A machine with all that the book needs. The two commands:
#   docker build --tag book .                  (make book: installs, builds the book)
#   docker run --rm --shm-size=1g book         (make test: every claim, output and page)
# The built book, to read it outside:
#   docker run --rm book tar -c -C _build html | tar -x
FROM python:3.11-slim-bookworm

RUN apt-get update \
    && apt-get install -y --no-install-recommends chromium-headless-shell coq git libcoq-stdlib make \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home reader \
    && install --directory --owner=reader /home/reader/book
USER reader
WORKDIR /home/reader/book
COPY --chown=reader . .
ENV BNLIB_REQUIRE_BROWSER=1
RUN make book
CMD ["make", "test"]
