"""Folders on servers: WebDAV, SFTP, SMB and FTP, as one connector (``type: fsspec`` with a url).

======================  ===========================================================================
module                  holds
======================  ===========================================================================
`remote.settings`       the url, the user and what logs in: `FsspecSettings`
`remote.server`         the seam between the connector and a protocol: `Server`, `Item`, its errors
`remote.opening`        settings to a server, whose packages are imported then
`remote.asking`         one question asked until the server answers: back-off, ``Retry-After``
`remote.tree`           the documents below a server's folder, in ascending order of uri
`remote.clock`          whether a later change could get the time that a version has
`remote.connector`      the connector: `list`, `stat`, `fetch`, whole versions
`remote.webdav`         WebDAV (Nextcloud, ownCloud, Apache …); `remote.multistatus` reads its answers
`remote.sftp`           SFTP, by asyncssh
`remote.smb`            SMB 2 and 3, by smbprotocol
`remote.ftp`            FTP and explicit FTPS; `remote.ftp_lines` reads its listings
======================  ===========================================================================

The urls are those of fsspec, and so is the loop that SFTP runs in. Its file systems are not used, for what
they do to a listing that deletions are decided by: sshfs does not check host keys unless told, and follows
links in `info`; fsspec's FTP takes a folder that may not be listed for a missing file, skips lines that it
does not understand, checks no certificate, and sends documents in the clear once it has connected again; its
SMB asks for each name separately and locks the files that it reads; webdav4 asks for a folder's contents to
describe it, keeps neither file ids nor dates of answers, and lets parts that the server refused pass. The
libraries below them are right, and are asked directly.
"""
