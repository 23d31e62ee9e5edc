/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FVI_STYLE_H
#define FVI_STYLE_H

extern const char fvi_report_style[];                    /* the page's style sheet */

#endif
