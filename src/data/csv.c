/* SPDX-License-Identifier: Apache-2.0 */
/* A row is copied cell by cell into one buffer, without its quotes. */
#include "data/csv.h"

static char separator_of(const char *p, const char *end)
{
    int counts[3] = {0};
    static const char marks[3] = {',', ';', '\t'};
    int best = 0;
    for (bool quoted = false; p < end && (quoted || (*p != '\n' && *p != '\r')); p++) {
        if (*p == '"') quoted = !quoted;
        for (int i = 0; i < 3 && !quoted; i++) counts[i] += *p == marks[i];
    }
    for (int i = 1; i < 3; i++)
        if (counts[i] > counts[best]) best = i;
    return marks[best];
}

void fvi_csv_open(fvi_csv *c, const char *name, const char *data, size_t bytes)
{
    *c = (fvi_csv){.name = name, .at = data, .end = data + bytes, .next_line = 1};
    if (bytes >= 3 && !memcmp(data, "\xEF\xBB\xBF", 3)) c->at += 3;
    c->separator = separator_of(c->at, c->end);
}

void fvi_csv_close(fvi_csv *c)
{
    fvi_text_free(&c->text);
    memset(c, 0, sizeof *c);
}

/* Over one line end; false when there is none. */
static bool line_end(fvi_csv *c)
{
    if (c->at >= c->end || (*c->at != '\n' && *c->at != '\r')) return false;
    bool both = *c->at == '\r' && c->at + 1 < c->end && c->at[1] == '\n';
    c->at += both ? 2 : 1;
    c->next_line++;
    return true;
}

/* A quoted cell from its opening quote on. */
static fv_status quoted(fv_context *ctx, fvi_csv *c)
{
    int line = c->next_line;
    for (c->at++; c->at < c->end; c->at++) {
        if (*c->at == '"') {
            if (c->at + 1 >= c->end || c->at[1] != '"') break;
            c->at++;
        }
        c->next_line += *c->at == '\n';
        fvi_text_raw(&c->text, c->at, 1);
    }
    if (c->at >= c->end) return fvi_fail(ctx, FV_ERROR_FORMAT, "%s:%d: a quote is opened and never closed", c->name, line);
    c->at++;
    if (c->at < c->end && *c->at != c->separator && *c->at != '\n' && *c->at != '\r')
        return fvi_fail(ctx, FV_ERROR_FORMAT, "%s:%d: text behind a closing quote", c->name, c->next_line);
    return FV_OK;
}

static fv_status cell(fv_context *ctx, fvi_csv *c)
{
    if (c->at < c->end && *c->at == '"') {
        FVI_TRY(ctx, quoted(ctx, c));
    } else {
        const char *from = c->at;
        while (c->at < c->end && *c->at != c->separator && *c->at != '\n' && *c->at != '\r') c->at++;
        fvi_text_raw(&c->text, from, (size_t)(c->at - from));
    }
    fvi_text_raw(&c->text, "", 1);
    return FV_OK;
}

fv_status fvi_csv_row(fv_context *ctx, fvi_csv *c, const char **cells, int limit, int *n)
{
    *n = 0;
    while (line_end(c)) {}
    if (c->at >= c->end) return FV_OK;
    c->line = c->next_line;
    c->text.length = 0;
    for (;;) {
        if (*n == limit) return fvi_fail(ctx, FV_ERROR_FORMAT, "%s:%d: more than %d cells", c->name, c->line, limit);
        ++*n;
        FVI_TRY(ctx, cell(ctx, c));
        if (c->at >= c->end || *c->at != c->separator) break;
        c->at++;
    }
    line_end(c);
    if (c->text.failed) return fvi_nomem(ctx);
    const char *at = c->text.data;
    for (int i = 0; i < *n; i++, at += strlen(at) + 1) cells[i] = at;
    if (at == c->text.data + c->text.length) return FV_OK;
    return fvi_fail(ctx, FV_ERROR_FORMAT, "%s:%d: a zero byte: not a text file", c->name, c->line);
}

void fvi_csv_add(fvi_text *t, const char *text)
{
    if (!strpbrk(text, ",;\t\"\r\n") && *text != ' ') {
        fvi_text_raw(t, text, strlen(text));
        return;
    }
    fvi_text_raw(t, "\"", 1);
    for (const char *p = text; *p; p++) {
        if (*p == '"') fvi_text_raw(t, "\"", 1);
        fvi_text_raw(t, p, 1);
    }
    fvi_text_raw(t, "\"", 1);
}
