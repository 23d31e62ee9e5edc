/* SPDX-License-Identifier: Apache-2.0 */
/* Text of pages. Everything that comes from outside goes through fvi_html_text. */
#ifndef FVI_HTML_H
#define FVI_HTML_H

#include "base/json.h"

/* Escaped for element content and for attributes in either quotes; what is no UTF-8, and control characters but tab and
 * newline, become U+FFFD. NULL: nothing. */
void fvi_html_text(fvi_text *t, const char *s);
/* The same in <bdi>, so that a name in any script (and overrides of direction in it) does not disturb its neighbours. */
void fvi_html_name(fvi_text *t, const char *s);
/* "11,181,642"; "0.9134", "1.2e-05", "-" when not finite. */
void fvi_html_integer(fvi_text *t, int64_t v);
void fvi_html_number(fvi_text *t, double v);
void fvi_html_share(fvi_text *t, double v);              /* 0.9134: "91.3 %" */

#endif
